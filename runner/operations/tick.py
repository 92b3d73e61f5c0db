"""One tick: what is due is decided and claimed in one transaction, what waits is run, and everything is recorded."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from runner import clock, planning
from runner.execution import processes
from runner.model.problem import Problem
from runner.model.run import Run
from runner.operations.decided import Decided
from runner.operations.fetch import Fetching
from runner.operations.lost import end_lost
from runner.operations.site import Site
from runner.operations.supervise import Supervisor
from runner.store import catalogs, claims, history, queue
from runner.store.database import opened, transaction

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    Refresh = Callable[[sqlite3.Connection, datetime], None]


@dataclass(frozen=True, slots=True)
class TickReport:
    """What a tick did. `next_slot` is (task, slot, slot on the task's wall clock) where one is planned."""

    commit: str | None
    started: tuple[Run, ...]
    skipped: tuple[Run, ...]
    lost: tuple[Run, ...]
    problems: tuple[Problem, ...]
    next_slot: tuple[str, datetime, str] | None


def tick(site: Site, refresh: Refresh, now: datetime, only: frozenset[str] | None = None) -> TickReport:
    """Run what is due at `now`, of the tasks in `only` where it is given; return when the last run has ended.

    `refresh` brings the store to the commit in force. A task that fails does not fail the tick. Raises RunnerError where the tick
    itself could not do its work; what was claimed by then is on record, and whatever was not is due at the next tick.
    """
    decided = decide(site, refresh, now, only)
    with Fetching(site, now):
        taken = Supervisor(site, now).run_waiting(only)
    return report(site, decided, taken)


def decide(site: Site, refresh: Refresh, now: datetime, only: frozenset[str] | None = None) -> Decided:
    """Decide every slot that has come, and claim those to be run: from then on they wait for whoever has a place."""
    with opened(site.database) as connection:
        refresh(connection, now)
        decided = Decided()
        decided.lost += end_lost(connection, site, now)
        with transaction(connection):
            _follow_the_clock_back(connection, now)
            _decide_all(connection, decided, now, only)
        # Also for a tick that was killed before it could say so.
        asked = queue.asked(connection)
    for supervisor in asked:
        processes.wake(supervisor)
    return decided


def _follow_the_clock_back(connection: sqlite3.Connection, now: datetime) -> None:
    """Let what was decided while the clock was far ahead go on from the present."""
    last = claims.last_decided(connection)
    # Read again: another tick may have decided while this one waited for the store, asleep for hours.
    if last is None or not planning.is_ahead(last, max(now, clock.now())):
        return
    for key in claims.decided_ahead(connection, now + planning.CLOCK_MAY_BE_WRONG):
        due = claims.due_task(connection, key)
        claims.set_state(connection, due, planning.set_back(due.spec, due.state, now))
    claims.start_by(connection, now)


def _decide_all(connection: sqlite3.Connection, decided: Decided, now: datetime, only: frozenset[str] | None) -> None:
    """Record what is decided, and ask runs that are in the way of others to end."""
    for due in claims.due_tasks(connection, now, only):
        offset = due.policy.offset(due.task)
        verdict = planning.decide(due.spec, due.policy, offset, due.state, due.running, now)
        if verdict is None:
            continue
        claimed, skipped = claims.record(connection, due, verdict, now)
        decided.claimed += claimed
        decided.skipped += skipped
        for old in {run_id for decision in verdict.decisions for run_id in decision.replaces if claimed}:
            claims.ask_to_end(connection, old, f"replaced by run {claimed[-1]}", now)


def report(site: Site, decided: Decided, taken: list[int]) -> TickReport:
    """Return what a tick did, from what it decided and what it took."""
    with opened(site.database) as connection:
        return TickReport(
            commit=catalogs.origin(connection).commit,
            started=tuple(history.runs_by_id(connection, {*decided.claimed, *taken} - {*decided.lost})),
            skipped=tuple(history.runs_by_id(connection, decided.skipped)),
            lost=tuple(history.runs_by_id(connection, decided.lost)),
            problems=catalogs.problems(connection),
            next_slot=catalogs.next_slot(connection),
        )
