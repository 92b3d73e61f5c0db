"""What there is, when it runs, how it is: `list`, `next` and `status`. Looks at the commit in force; writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from heapq import merge
from itertools import islice

from runner.errors import GitError
from runner.execution import owner, processes
from runner.execution.ownership import is_gone
from runner.model.problem import Problem
from runner.model.run import Run
from runner.model.stored import StoredTask
from runner.model.task import Task
from runner.operations.current import in_force
from runner.operations.find import known_task
from runner.operations.lost import is_overdue
from runner.operations.site import Site
from runner.repo.log import count_between
from runner.repo.tree import everything
from runner.store import catalogs, events, history, queue, remote
from runner.store.catalogs import Origin
from runner.store.database import reading
from runner.store.history import Counts
from runner.store.remote import Remote
from runner.store.session import Reading
from runner.taskfile.findings import shown
from runner.taskfile.names import why_not_read
from runner.value import Value

_DAY = timedelta(days=1)


class Entry(Value):
    """One task in the list. `task` is None while its file was never valid; `state` is active, inactive, degraded or invalid."""

    id: str
    state: str
    task: Task | None
    next_due: datetime | None
    last_run: Run | None


class Fire(Value):
    """One future slot."""

    task: str
    at: datetime
    zone: tzinfo

    @property
    def local(self) -> datetime:
        """The slot on the task's wall clock, aware."""
        return self.at.astimezone(self.zone)


class Degraded(Value):
    """A task whose file is invalid since a commit, and which goes on with the version of an older one."""

    task: str
    valid_commit: str
    invalid_commit: str


class Following(Value):
    """How it stands with a remote that is fetched. `behind`: commits that are there and not in force, None where nobody knows."""

    remote: Remote
    behind: int | None


class Status(Value):
    """How everything is. `unread`: the files below `tasks/` that are not meant as tasks, each with the reason.

    `unanswered`: runs whose owner does not do its work, each with what is known of it; `clock`: what was wrong with it lately.
    """

    origin: Origin
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


def list_tasks(site: Site, now: datetime) -> tuple[Entry, ...]:
    """Return every task of the commit in force, by id. Raises RunnerError."""
    with in_force(site, now) as tasks, reading(site.database) as past:
        last = history.last_runs(past)
        return tuple(_entry(tasks, stored, last) for stored in list(catalogs.stored_tasks(tasks)))


def _entry(session: Reading, stored: StoredTask, last: dict[str, Run]) -> Entry:
    task = None if stored.version is None else catalogs.load_task(session, stored.version, stored.id)
    return Entry(stored.id, _state(stored), task, _starts(stored), last.get(stored.id))


def _starts(stored: StoredTask) -> datetime | None:
    """Return when the next slot starts: later than the slot itself where the task has jitter."""
    slot = stored.state.next_slot
    return None if slot is None else slot + stored.offset


def _state(stored: StoredTask) -> str:
    if stored.version is None:
        return "invalid"
    if stored.invalid_commit is not None:
        return "degraded"
    return "active" if stored.active else "inactive"


def next_slots(site: Site, task_id: str | None, count: int, since: datetime | None, now: datetime) -> tuple[Fire, ...]:
    """Return the next slots of one task or of all, the earliest first: from `since`, else those that are owed.

    Raises RunnerError.
    """
    with in_force(site, now) as session:
        chosen = list(catalogs.stored_tasks(session)) if task_id is None else [known_task(session, task_id)]
        streams = [_fires(stored, since, now) for stored in chosen]
        return tuple(islice(merge(*streams, key=lambda fire: fire.at), count))


def _fires(stored: StoredTask, since: datetime | None, now: datetime) -> Iterator[Fire]:
    if stored.spec is None or stored.blob is None or not stored.active:
        return
    schedule = stored.spec.schedule(stored.state.anchor or now)
    slot = stored.state.next_slot if since is None else schedule.after(since - timedelta(microseconds=1))
    while slot is not None:
        yield Fire(stored.id, slot + stored.offset, schedule.zone)
        slot = schedule.after(slot)


def status(site: Site, now: datetime) -> Status:
    """Return how everything is: the commit, the tasks, the last day's runs, what fails and what is wrong. Raises RunnerError."""
    with in_force(site, now) as session, reading(site.database) as past:
        origin = catalogs.origin(session)
        tasks = list(catalogs.stored_tasks(session))
        last = history.last_runs(past)
        present = {task.id for task in tasks}
        return Status(
            origin=origin,
            active=sum(task.active for task in tasks),
            inactive=sum(task.spec is not None and not task.active for task in tasks),
            invalid=tuple(task.id for task in tasks if task.spec is None),
            degraded=tuple(
                Degraded(task.id, str(task.valid_commit), task.invalid_commit)
                for task in tasks
                if task.invalid_commit is not None
            ),
            counts=history.counts_since(past, now - _DAY),
            failing=tuple(run for run in last.values() if run.task in present and run.status in _FAILING),
            running=tuple(history.find_runs(past, status="running")),
            problems=catalogs.problems(session),
            next_slot=catalogs.next_slot(session),
            following=None if origin.fetch_every is None else _following(site, past, origin),
            unread=tuple(_unread(site, origin)),
            unanswered=tuple(_unanswered(site, past, now)),
            clock=tuple(
                f"{event.at:%Y-%m-%d %H:%M} UTC: {event.detail}" for event in events.of_clock(past, now - _DAY)
            ),
        )


def _unread(site: Site, origin: Origin) -> Iterator[tuple[str, str]]:
    try:
        files = everything(site.root, str(origin.commit)).files
    except GitError:  # gone here, as `following` tells
        return
    for file in files:
        why = why_not_read(file.path)
        if why is not None:
            yield shown(file.path), why


def _unanswered(site: Site, session: Reading, now: datetime) -> Iterator[tuple[int, str]]:
    """Yield the runs that nobody supervises as it should, with what is known of their owners."""
    for run in queue.owned_runs(session):
        notes = owner.read(site.state, run.owner)
        closed = owner.why_unreadable(site.state, run.owner)
        who = f"the runner that supervises it (pid {processes.pid_of(run.owner)})"
        if is_gone(site.state, run.owner):
            yield run.run_id, f"{who} is gone: the next tick ends what is left of it"
        elif closed is not None:
            yield run.run_id, f"{who} may be gone: its file may not be opened ({closed}), and the run is left alone"
        elif notes.is_stopped():
            yield run.run_id, f"{who} is stopped, and enforces no time limit"
        elif is_overdue(site.state, run, now):
            where = "" if notes.is_visible() else ", and runs where this command cannot see it"
            yield run.run_id, f"{who} should have ended it by now{where}"


def _following(site: Site, session: Reading, origin: Origin) -> Following:
    return Following(remote.load(session), count_between(site.root, str(origin.commit), origin.ref_path))


_FAILING = {"failed", "timed_out", "lost"}
