"""`status`: the state of the tasks, the runs and the repository at the commit in force. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from runner.errors import GitError
from runner.execution.hosting.environments import is_built
from runner.execution.owners import owner
from runner.execution.owners.ownership import is_gone
from runner.execution.system import processes
from runner.model.problem import Problem
from runner.model.run import Run
from runner.operations.asking.not_held import what_is_not_held
from runner.operations.ticking.branch import Moved, moved_from
from runner.operations.ticking.current import in_force
from runner.operations.ticking.lost_runs import is_overdue
from runner.operations.workspace import Workspace
from runner.repo.log import count_between
from runner.repo.tree import everything
from runner.store import catalogs, claims, events, history, queue, remote
from runner.store.catalogs import Source
from runner.store.database import reading
from runner.store.history import Counts
from runner.store.remote import Remote
from runner.store.session import Reading
from runner.taskfile.findings import shown
from runner.taskfile.names import why_not_read
from runner.value import Value

_DAY = timedelta(days=1)
#: How long after its time an undecided slot is overdue. Ticks come every minute, and may be a little late.
_OVERDUE = timedelta(minutes=2)
_FAILING = {"failed", "timed_out", "lost"}


class Degraded(Value):
    """A task whose file has been invalid since a commit, and which uses the version of an older commit."""

    task: str
    valid_commit: str
    invalid_commit: str


class Following(Value):
    """The state of a remote that is fetched.

    `behind` is the number of fetched commits that are not in force, None where git cannot count them.
    """

    remote: Remote
    behind: int | None


class Status(Value):
    """The answer of `status`.

    `next_slot` is the first slot that is not decided: (task, slot, slot on the task's wall clock). `overdue` is that
    slot that no tick has decided in time, else None. `last_decided` is when a tick last decided anything;
    `has_ticked` says whether a tick has ever come. `unread` are the files below `tasks/` that are not read as tasks,
    each with the reason. `unanswered` are the runs whose owner does not do its work, each with a sentence about the
    owner. `clock` says what was wrong with the clock in the last day. `moved` says from which branch HEAD was moved in
    the last day, where HEAD is followed. `not_held` says what of the permissions of tasks is not held.
    `building` says which runs wait for packages.
    """

    source: Source
    active: int
    inactive: int
    invalid: tuple[str, ...]
    degraded: tuple[Degraded, ...]
    counts: Counts
    failing: tuple[Run, ...]
    running: tuple[Run, ...]
    problems: tuple[Problem, ...]
    next_slot: tuple[str, datetime, str] | None
    following: Following | None
    unread: tuple[tuple[str, str], ...]
    unanswered: tuple[tuple[int, str], ...] = ()
    clock: tuple[str, ...] = ()
    overdue: datetime | None = None
    last_decided: datetime | None = None
    has_ticked: bool = True
    moved: Moved | None = None
    not_held: tuple[str, ...] = ()
    building: tuple[str, ...] = ()


def status(workspace: Workspace, now: datetime) -> Status:
    """Return the status at the commit in force: tasks, runs of the last day, failures and problems.

    Raises RunnerError.
    """
    with in_force(workspace, now) as session, reading(workspace.database) as store:
        source = catalogs.source(session)
        tasks = list(catalogs.stored_tasks(session))
        last = history.last_runs(store)
        present = {task.id for task in tasks}
        slot = catalogs.next_slot(session)
        return Status(
            source=source,
            active=sum(task.active for task in tasks),
            inactive=sum(task.spec is not None and not task.active for task in tasks),
            invalid=tuple(task.id for task in tasks if task.spec is None),
            degraded=tuple(
                Degraded(task.id, str(task.valid_commit), task.invalid_commit)
                for task in tasks
                if task.invalid_commit is not None
            ),
            counts=history.counts_since(store, now - _DAY),
            failing=tuple(run for run in last.values() if run.task in present and run.status in _FAILING),
            running=tuple(history.find_runs(store, status="running")),
            problems=catalogs.problems(session),
            next_slot=slot,
            overdue=None if slot is None or now - slot[1] <= _OVERDUE else slot[1],
            last_decided=claims.clock_of(store).decided_at,
            has_ticked=catalogs.source(store).commit is not None,
            moved=moved_from(source, now),
            not_held=tuple(what_is_not_held(session)),
            following=None if source.fetch_every is None else _following(workspace, store, source),
            unread=tuple(_unread(workspace, source)),
            unanswered=tuple(_unanswered(workspace, store, now)),
            building=tuple(_building(workspace, store)),
            clock=tuple(
                f"{event.at:%Y-%m-%d %H:%M} UTC: {event.detail}" for event in events.of_clock(store, now - _DAY)
            ),
        )


def _building(workspace: Workspace, session: Reading) -> Iterator[str]:
    for run_id, dependencies in queue.waiting_for_packages(session):
        if not is_built(workspace.state, dependencies):
            yield f"run {run_id} waits until the environment with {', '.join(dependencies)} is built"


def _unread(workspace: Workspace, source: Source) -> Iterator[tuple[str, str]]:
    try:
        files = everything(workspace.root, str(source.commit)).files
    except GitError:  # the commit is not in this clone, as `following` says
        return
    for file in files:
        why = why_not_read(file.path)
        if why is not None:
            yield shown(file.path), why


def _unanswered(workspace: Workspace, session: Reading, now: datetime) -> Iterator[tuple[int, str]]:
    """Yield the runs that no owner supervises properly, with a sentence about the owner."""
    for run in queue.owned_runs(session):
        notes = owner.read(workspace.state, run.owner)
        unreadable = owner.why_unreadable(workspace.state, run.owner)
        who = f"the runner that supervises it (pid {processes.pid_of(run.owner)})"
        if is_gone(workspace.state, run.owner):
            yield run.run_id, f"{who} is gone: the next tick ends the remaining processes of the run"
        elif unreadable is not None:
            yield (
                run.run_id,
                f"{who} may be gone: runner may not open its owner file ({unreadable}), and leaves the run alone",
            )
        elif notes.is_stopped():
            yield run.run_id, f"{who} is stopped and enforces no time limit"
        elif is_overdue(workspace.state, run, now):
            where = "" if notes.is_visible() else ", and runs where this command cannot see it"
            yield run.run_id, f"{who} should have ended the run by now{where}"


def _following(workspace: Workspace, session: Reading, source: Source) -> Following:
    return Following(remote.load(session), count_between(workspace.root, str(source.commit), source.ref_path))
