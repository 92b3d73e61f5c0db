"""One tick: update the tasks → end lost runs → decide what is due → run what waits → report.

Cron, people and tests all call this one function.
"""

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
    """The options of a tick: `only` some task ids (None for all), or the files of the work tree."""

    only: frozenset[str] | None = None
    worktree: bool = False


class TickProcesses(Value):
    """What runs the decisions of a tick: the name of the owner, and a function that makes an executor.

    `check` raises RunnerError when no process can run anything any more: then the tick must decide nothing either.
    `meanwhile` is called once the due runs have been started. `watch` receives the events of runs as they happen.
    """

    owner: str
    executor: Callable[[RunEnvironment, RunSettings], Executor]
    check: Callable[[], None]
    meanwhile: Callable[[], None]
    watch: Watch | None = None

    def supervisor(self, workspace: Workspace, run_settings: RunSettings, now: datetime) -> Supervisor:
        """Return a supervisor of the runs of this tick, with its executor."""
        environment = RunEnvironment(workspace.root, workspace.state, run_settings.store_id)
        executor = self.executor(environment, run_settings)
        return Supervisor(
            workspace, run_settings, self.owner, executor, now, meanwhile=self.meanwhile, watch=self.watch
        )


class _Decisions:
    """The ids of the runs that a tick has claimed, skipped and lost. `clock` says what was wrong with the clock."""

    def __init__(self) -> None:
        """Begin with empty lists."""
        self.claimed: list[int] = []
        self.skipped: list[int] = []
        self.lost: list[int] = []
        self.clock: str | None = None


class TickReport(Value):
    """What a tick did. `next_slot` is (task, slot, slot on the task's wall clock), None where no slot is planned.

    `clock` says what was wrong with the clock and what was done about it, None where nothing was wrong. `followed` is
    the ref or branch whose tasks are in force. `moved` says from which branch HEAD was moved in the last day.
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


def tick(workspace: Workspace, now: datetime, tick_processes: TickProcesses, request: Request) -> TickReport:
    """Run what is due at `now`, and return a report when the last run has ended.

    A task that fails does not fail the tick. Raises RunnerError where the tick itself could not do its work. Slots
    that were claimed by then are on record; all other slots are due at the next tick.
    """
    if request.worktree:
        from runner.operations.acting.trial import try_what_is_due  # noqa: PLC0415 - YAML takes longer than a tick

        return try_what_is_due(workspace, now, tick_processes, request.only)
    if is_fetch_due(workspace, now):
        return _tick(workspace, now, tick_processes, request)
    with held_open(workspace.database):
        return _tick(workspace, now, tick_processes, request)


def _tick(workspace: Workspace, now: datetime, tick_processes: TickProcesses, request: Request) -> TickReport:
    decided = decide(workspace, now, request, tick_processes.check)
    if tick_processes.watch is not None:
        tick_processes.watch.decided((*decided.lost, *decided.skipped))
    with Fetching(workspace, now):
        taken, missed = _run(workspace, now, tick_processes, request)
    decided.skipped += missed
    return _report(workspace, decided, taken, now)


def decide(workspace: Workspace, now: datetime, request: Request, check: Callable[[], None]) -> _Decisions:
    """Decide every slot that has come, claim those to be run, and return the decisions.

    Claimed runs wait in the queue for any tick that has a free concurrency slot. `check` is called before the
    decisions are committed. Raises RunnerError.
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
    """Wake the owners whose runs are asked to end.

    This includes requests by an earlier tick that was killed before it could wake the owners.
    """
    for name in queue.owners_asked(session):
        processes.wake(owners.read(workspace.state, name).process)


def _decide_all(session: Deciding, decided: _Decisions, now: datetime, only: frozenset[str] | None) -> None:
    """Record the decisions, and ask the runs that claimed runs replace to end."""
    for due in claims.due_tasks(session, now, only):
        offset = due.policy.offset(due.task)
        task_decision = planning.decide(due.spec, due.policy, offset, due.state, due.running, now)
        if task_decision is None:
            continue
        claimed, skipped = claims.record(session, due, task_decision, now)
        decided.claimed += claimed
        decided.skipped += skipped
        for old in {run_id for decision in task_decision.decisions for run_id in decision.replaces if claimed}:
            queue.ask_to_end(session, old, f"replaced by run {claimed[-1]}", now)
    if decided.claimed or decided.skipped:
        clock_changes.note_decision(session, now)


def _run(
    workspace: Workspace, now: datetime, tick_processes: TickProcesses, request: Request
) -> tuple[list[int], list[int]]:
    """Run what waits, the longest-waiting first; return the ids of the taken runs, and of those that were too late."""
    with reading(workspace.database) as session:
        due = queue.next_due(session, request.only)
        run_settings = queue.run_settings(session)
    if due is None or due >= planning.minute_of(max(now, clock.now())) + _MINUTE:
        return [], []
    return tick_processes.supervisor(workspace, run_settings, now).run_waiting(request.only)


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
