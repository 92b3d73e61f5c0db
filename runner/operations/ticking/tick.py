"""One tick, whoever calls it: the current tasks → end lost runs → decide what is due → run what waits → report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from runner import clock, planning
from runner.execution.owners import owner as owners
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.system import processes
from runner.operations.lookup import check_known
from runner.operations.ticking import clock_changes
from runner.operations.ticking.branch import Moved, moved_from
from runner.operations.ticking.current import bring_up_to_date
from runner.operations.ticking.fetch import Fetching, is_fetch_due
from runner.operations.ticking.idle import followed
from runner.operations.ticking.lost_runs import end_lost
from runner.operations.ticking.supervisor import Supervisor
from runner.operations.workspace import Workspace
from runner.store import catalogs, claims, queue
from runner.store.database import deciding, held_open, reading
from runner.store.queue import RunSettings
from runner.store.session import Deciding, Reading
from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.execution.supervising.executor import Executor
    from runner.model.problem import Problem
    from runner.model.run import Run
    from runner.operations.ticking.progress import Watch

_MINUTE = timedelta(minutes=1)


class Request(Value):
    """What a tick is asked for: only some tasks, or to try the files of the work tree."""

    only: frozenset[str] | None = None
    worktree: bool = False


class TickProcesses(Value):
    """Who runs what a tick has decided: the name of the owner, and what makes an executor for the terms of the repository.

    `check` raises RunnerError once there is nobody any more to run anything: then nothing is to be decided either. `meanwhile` is
    called once what is due has been started; `watch` is told what happens, as it happens.
    """

    owner: str
    executor: Callable[[RunEnvironment, RunSettings], Executor]
    check: Callable[[], None]
    meanwhile: Callable[[], None]
    watch: Watch | None = None


class _Decisions:
    """The runs that a tick has decided about: to be run, not to be run, and lost by their owners. `clock` says what was wrong."""

    def __init__(self) -> None:
        """Begin without any."""
        self.claimed: list[int] = []
        self.skipped: list[int] = []
        self.lost: list[int] = []
        self.clock: str | None = None


class TickReport(Value):
    """What a tick did. `next_slot` is (task, slot, slot on the task's wall clock) where one is planned.

    `clock` says what was wrong with the clock, and what was done, where anything was. `followed` is the ref or branch whose tasks
    are in force, `moved` says from where HEAD was moved lately.
    """

    commit: str | None
    started: tuple[Run, ...]
    skipped: tuple[Run, ...]
    lost: tuple[Run, ...]
    problems: tuple[Problem, ...]
    next_slot: tuple[str, datetime, str] | None
    clock: str | None = None
    followed: str = ""
    moved: Moved | None = None


def tick(workspace: Workspace, now: datetime, crew: TickProcesses, request: Request) -> TickReport:
    """Run what is due at `now`; return when the last run has ended.

    A task that fails does not fail the tick. Raises RunnerError where the tick itself could not do its work; what was claimed by
    then is on record, and whatever was not is due at the next tick.
    """
    if request.worktree:
        from runner.operations.acting.trial import try_what_is_due  # noqa: PLC0415 - YAML takes longer than a tick

        return try_what_is_due(workspace, now, crew, request.only)
    if is_fetch_due(workspace, now):
        return _tick(workspace, now, crew, request)
    with held_open(workspace.database):
        return _tick(workspace, now, crew, request)


def _tick(workspace: Workspace, now: datetime, crew: TickProcesses, request: Request) -> TickReport:
    decided = decide(workspace, now, request, crew.check)
    if crew.watch is not None:
        crew.watch.decided((*decided.lost, *decided.skipped))
    with Fetching(workspace, now):
        taken, missed = _run(workspace, now, crew, request)
    decided.skipped += missed
    return _report(workspace, decided, taken, now)


def decide(workspace: Workspace, now: datetime, request: Request, check: Callable[[], None]) -> _Decisions:
    """Decide every slot that has come, and claim those to be run: from then on they wait for whoever has a slot free.

    `check` is called before any of it is committed.
    """
    decided = _Decisions()
    with deciding(workspace.database) as session:
        before = catalogs.source(session)
        bring_up_to_date(session, workspace, now)
        check_known(session, request.only)
        decided.lost += end_lost(workspace, now)
        with session.transaction():
            decided.clock = clock_changes.follow(session, now, has_new_tasks=catalogs.source(session) != before)
            _decide_all(session, decided, now, request.only)
            check()
        _wake_owners(session, workspace)
    return decided


def _wake_owners(session: Reading, workspace: Workspace) -> None:
    """Tell owners whose runs are asked to end; also for a tick that was killed before it could say so."""
    for name in queue.owners_asked(session):
        processes.wake(owners.read(workspace.state, name).process)


def _decide_all(session: Deciding, decided: _Decisions, now: datetime, only: frozenset[str] | None) -> None:
    """Record what is decided, and ask runs that are in the way of others to end."""
    for due in claims.due_tasks(session, now, only):
        offset = due.policy.offset(due.task)
        verdict = planning.decide(due.spec, due.policy, offset, due.state, due.running, now)
        if verdict is None:
            continue
        claimed, skipped = claims.record(session, due, verdict, now)
        decided.claimed += claimed
        decided.skipped += skipped
        for old in {run_id for decision in verdict.decisions for run_id in decision.replaces if claimed}:
            queue.ask_to_end(session, old, f"replaced by run {claimed[-1]}", now)
    if decided.claimed or decided.skipped:
        clock_changes.note_decision(session, now)


def _run(workspace: Workspace, now: datetime, crew: TickProcesses, request: Request) -> tuple[list[int], list[int]]:
    """Run what waits, the longest-waiting first; return the runs that were taken, and those that were too late by then."""
    with reading(workspace.database) as session:
        due = queue.next_due(session, request.only)
        run_settings = queue.run_settings(session)
    if due is None or due >= planning.minute_of(max(now, clock.now())) + _MINUTE:
        return [], []
    executor = crew.executor(RunEnvironment(workspace.root, workspace.state, run_settings.store_id), run_settings)
    supervisor = Supervisor(
        workspace, run_settings, crew.owner, executor, now, meanwhile=crew.meanwhile, watch=crew.watch
    )
    return supervisor.run_waiting(request.only)


def _report(workspace: Workspace, decided: _Decisions, taken: list[int], now: datetime) -> TickReport:
    from runner.store import history  # noqa: PLC0415 - loaded while the children run

    with reading(workspace.database) as session:
        source = catalogs.source(session)
        return TickReport(
            commit=source.commit,
            started=tuple(history.runs_by_id(session, {*decided.claimed, *taken} - {*decided.lost, *decided.skipped})),
            skipped=tuple(history.runs_by_id(session, decided.skipped)),
            lost=tuple(history.runs_by_id(session, decided.lost)),
            problems=catalogs.problems(session),
            next_slot=catalogs.next_slot(session),
            clock=decided.clock,
            followed=followed(source.ref, source.branch),
            moved=moved_from(source, now),
        )
