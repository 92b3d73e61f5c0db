"""Try the files of the work tree: `run --worktree` and `tick --worktree`.

What is due is decided on a copy of the store in memory. The store only gets the runs and the versions that they are
pinned to. The states of the tasks do not change, and no tick, no statistic and no `blame` counts these runs.
"""

from __future__ import annotations

from datetime import datetime

from runner import planning
from runner.errors import RunnerError, UsageError
from runner.model.job import Job
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.model.state import START
from runner.model.statuses import ALLOW, WORKTREE
from runner.model.stored import StoredTask
from runner.model.task import Task, path_of
from runner.operations.lookup import check_known, known_task
from runner.operations.reviewing.worktree import refresh_from_worktree
from runner.operations.ticking import clock_changes
from runner.operations.ticking.tick import TickProcesses, TickReport
from runner.operations.workspace import Workspace
from runner.store import catalogs, claims, history, queue
from runner.store.claims import Due, RunRequest
from runner.store.database import deciding, dry_run, reading
from runner.store.queue import RunSettings
from runner.store.session import Deciding, Reading
from runner.taskfile.findings import shown
from runner.value import Value, replace


class Trial(Value):
    """A task as the work tree has it, with the blobs of its file and of the `runner.yaml` that applies to it."""

    task: Task
    blob: str
    settings_blob: str


class _DueTrials(Value):
    """The tasks that are due by the files of the work tree; the settings, problems and next slot of these files."""

    trials: tuple[Trial, ...]
    settings: Settings
    problems: tuple[Problem, ...]
    next_slot: tuple[str, datetime, str] | None


def trial_of(workspace: Workspace, task_id: str, now: datetime) -> tuple[Trial, Settings]:
    """Return a task of the work tree, and the settings there. Raises UsageError where its file is not valid."""
    with dry_run(workspace.database) as copy:
        settings, _ = refresh_from_worktree(copy, workspace.root, now, frozenset({task_id}))
        stored = known_task(copy, task_id)
        _check_valid(copy, stored)
        return _trial(copy, stored), settings


def try_what_is_due(
    workspace: Workspace, now: datetime, tick_processes: TickProcesses, only: frozenset[str] | None
) -> TickReport:
    """Run each task that is due by the files of the work tree once; return a report when the last run has ended.

    A task is left out where its concurrency policy does not allow another run now. Raises RunnerError.
    """
    due = _what_is_due(workspace, now, only)
    run_ids = _run(workspace, now, tick_processes, due) if due.trials else []
    with reading(workspace.database) as session:
        started = tuple(history.runs_by_id(session, run_ids))
    return TickReport(WORKTREE, started, (), (), due.problems, due.next_slot)


def claim_trial(session: Deciding, trial: Trial, owner: str, now: datetime) -> Job:
    """Claim a run of a task as the work tree has it, and return its job. Call it inside a transaction.

    Raises RunnerError where the concurrency policy does not allow another run now: a trial replaces no run.
    """
    stored = catalogs.find_task(session, trial.task.id)
    under_way = _in_the_way(session, trial)
    if under_way:
        raise RunnerError(
            f"the task {trial.task.id} is running already (run {under_way[-1]})",
            f"wait for it, or end it: `runner cancel {under_way[-1]}`",
        )
    key = catalogs.add_tried(session, trial.task.id) if stored is None else stored.key
    catalogs.add_version(session, trial.blob, trial.settings_blob, trial.task)
    version = catalogs.version_of(session, trial.blob, trial.settings_blob)
    assert version is not None  # noqa: S101 - it has just been added
    return queue.job(session, claims.claim_by_hand(session, RunRequest(key, version.id, WORKTREE), owner, now))


def settings_of_trial(session: Reading, settings: Settings) -> RunSettings:
    """Return the settings for runs of the work tree. The limit of runs at once is the one that is in force."""
    return replace(
        queue.run_settings(session),
        shutdown_grace=settings.shutdown_grace,
        secrets_file=settings.secrets_file or None,
        contexts=settings.contexts,
    )


def _in_the_way(session: Reading, trial: Trial) -> tuple[int, ...]:
    stored = catalogs.find_task(session, trial.task.id)
    if stored is None or trial.task.policy.concurrency_policy == ALLOW:
        return ()
    return claims.runs_under_way(session, stored.key, or_tried=True)


def _check_valid(copy: Reading, stored: StoredTask) -> None:
    path = path_of(stored.id)
    if stored.blob is None:
        raise UsageError(
            f"the task {stored.id} cannot run: its file {path} is not in the work tree",
            "`git status` shows whether it was removed",
        )
    if stored.version is not None and stored.invalid_commit is None:
        return
    found = [problem for problem in catalogs.problems(copy) if problem.file == shown(path) and problem.is_error()]
    why = f": {found[0]}" if found else ""
    raise UsageError(f"the task {stored.id} cannot run: its file is not valid{why}", f"see `runner validate {path}`")


def _trial(copy: Reading, stored: StoredTask) -> Trial:
    assert stored.version is not None and stored.blob is not None  # noqa: S101, PT018 - its file is valid
    task = catalogs.load_task(copy, stored.version, stored.id)
    return Trial(task, stored.blob, catalogs.source(copy).settings_blob)


def _what_is_due(workspace: Workspace, now: datetime, only: frozenset[str] | None) -> _DueTrials:
    with dry_run(workspace.database) as copy:
        settings, _ = refresh_from_worktree(copy, workspace.root, now, only)
        check_known(copy, only)
        clock_changes.follow(copy, now, has_new_tasks=True)
        due = [due.task for due in claims.due_tasks(copy, now, only) if _is_started(copy, due, now)]
        trials = tuple(_trial(copy, known_task(copy, task_id)) for task_id in due)
        return _DueTrials(trials, settings, catalogs.problems(copy), catalogs.next_slot(copy))


def _is_started(copy: Deciding, due: Due, now: datetime) -> bool:
    """Return whether a tick would start a task whose file in the work tree is valid.

    The decisions are recorded in the copy.
    """
    offset = due.policy.offset(due.task)
    task_decision = planning.decide(due.spec, due.policy, offset, due.state, due.running, now)
    if task_decision is None:
        return False
    claims.record(copy, due, task_decision, now)
    is_valid = due.commit == WORKTREE
    return is_valid and any(decision.action == START for decision in task_decision.decisions)


def _run(workspace: Workspace, now: datetime, tick_processes: TickProcesses, due: _DueTrials) -> list[int]:
    with deciding(workspace.database) as session:
        with session.transaction():
            tick_processes.check()
            allowed = [trial for trial in due.trials if not _in_the_way(session, trial)]
            jobs = [claim_trial(session, trial, tick_processes.owner, now) for trial in allowed]
        run_settings = settings_of_trial(session, due.settings)
    if jobs:
        tick_processes.supervisor(workspace, run_settings, now).run(*jobs)
    return [job.run_id for job in jobs]
