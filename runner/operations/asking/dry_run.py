"""What a tick would do now: for every task whether it would run, and why or why not.

The code of the tick decides, on a copy of the store in memory. Nothing is written.
"""

from __future__ import annotations

from datetime import datetime

from runner import planning
from runner.execution.owners.owner import Notes
from runner.execution.supervising.output import Capture
from runner.model.problem import Problem
from runner.model.state import START
from runner.model.stored import StoredTask
from runner.operations.lookup import check_known
from runner.operations.reviewing.worktree import refresh_from_worktree
from runner.operations.ticking import clock_changes
from runner.operations.ticking.current import bring_up_to_date
from runner.operations.ticking.lost_runs import LostAttempt, find_lost, settle
from runner.operations.workspace import Workspace
from runner.store import catalogs, claims
from runner.store.database import dry_run
from runner.store.rows import local_text
from runner.store.session import Reading
from runner.value import Value


class TaskPreview(Value):
    """What a tick would do about one task. `slot` is the slot that it would decide, None where none is due."""

    task: str
    timezone: str
    would_run: bool
    reason: str
    slot: datetime | None = None
    missed: int = 0


class DryRun(Value):
    """The previews of all tasks, and the problems of the files."""

    commit: str | None
    verdicts: tuple[TaskPreview, ...]
    problems: tuple[Problem, ...]

    def has_errors(self) -> bool:
        """Return whether a file has an error."""
        return any(problem.is_error() for problem in self.problems)


def dry_run_tick(
    workspace: Workspace, now: datetime, only: frozenset[str] | None = None, *, worktree: bool = False
) -> DryRun:
    """Return what a tick at `now` would do. Raises RunnerError.

    Where there is no database yet, all tasks are new.
    """
    with dry_run(workspace.database) as session:
        if worktree:
            refresh_from_worktree(session, workspace.root, now)
        else:
            bring_up_to_date(session, workspace, now)
        check_known(session, only)
        clock_changes.follow(session, now, has_new_tasks=True)
        lost = [
            LostAttempt(run, Notes(), has_begun=True, output=Capture()) for run in find_lost(session, workspace.state)
        ]
        settle(session, lost, now)
        previews = [
            _preview(session, task, now, worktree=worktree)
            for task in catalogs.stored_tasks(session)
            if only is None or task.id in only
        ]
        return DryRun(catalogs.source(session).commit, tuple(previews), catalogs.problems(session))


def _preview(session: Reading, task: StoredTask, now: datetime, *, worktree: bool) -> TaskPreview:
    if task.spec is None:
        return TaskPreview(task.id, "UTC", would_run=False, reason="its file was never valid")
    if worktree and task.invalid_commit is not None:
        return TaskPreview(
            task.id, task.spec.timezone, would_run=False, reason="its file in the work tree is not valid"
        )
    running = claims.runs_under_way(session, task.key)
    decided = planning.decide(task.spec, task.policy, task.offset, task.state, running, now)
    if decided is None or not decided.decisions:
        return TaskPreview(task.id, task.spec.timezone, would_run=False, reason=_why_not(task))
    started = [decision for decision in decided.decisions if decision.action == START]
    decision = started[0] if started else decided.decisions[-1]
    reason = decision.reason
    if started and task.state.last_run_slot is None and task.state.anchor == decision.slot:
        reason = "due: the task is new"
    if len(started) > 1:
        later = len(started) - 1
        reason = f"{reason}; {later} later {'slot follows' if later == 1 else 'slots follow'}"
    return TaskPreview(task.id, task.spec.timezone, bool(started), reason, decision.slot, decision.missed)


def _why_not(task: StoredTask) -> str:
    if not task.active:
        return "inactive"
    if task.state.next_slot is None or task.spec is None:
        return "its schedule has no slot left"
    return f"not due before {local_text(task.state.next_slot + task.offset, task.spec)}"
