"""One tick: what is due is decided, claimed in one transaction, run, and recorded."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from runner import planning
from runner.execution import processes
from runner.execution.job import Job
from runner.execution.workshop import Workshop
from runner.model.problem import Problem
from runner.model.run import Run
from runner.model.state import START
from runner.operations.lost import end_leftovers, find_lost, mark_lost
from runner.operations.site import Site
from runner.operations.supervise import supervise
from runner.store import catalogs, claims, history
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


@dataclass(frozen=True, slots=True)
class _Taken:
    jobs: deque[Job]
    started: list[int]
    skipped: list[int]
    lost: list[int]


def tick(site: Site, refresh: Refresh, now: datetime, only: frozenset[str] | None = None) -> TickReport:
    """Run what is due at `now`, of the tasks in `only` where it is given; return when the last run has ended.

    `refresh` brings the store to the commit in force. A task that fails does not fail the tick. Raises RunnerError where the tick
    itself could not do its work; what was claimed by then is on record, and whatever was not is due at the next tick.
    """
    with opened(site.database) as connection:
        refresh(connection, now)
        origin = catalogs.origin(connection)
        lost = find_lost(connection)
        end_leftovers(Workshop(site.root, site.state, origin.store_id), lost)
        with transaction(connection):
            taken = _take(connection, mark_lost(connection, lost, now), now, only)
    if taken.jobs:
        supervise(site, origin.store_id, origin.max_parallel, taken.jobs)
    with opened(site.database) as connection:
        return _report(connection, taken)


def _take(connection: sqlite3.Connection, lost: list[int], now: datetime, only: frozenset[str] | None) -> _Taken:
    """Decide every slot that has come, and claim those to be run."""
    supervisor = processes.supervisor()
    taken = _Taken(deque(), [], [], lost)
    for due in claims.due_tasks(connection, now, only):
        decision = planning.decide(due.task.schedule, due.state, due.running, now)
        if decision is None:
            continue
        run_id = claims.record(connection, due, decision, supervisor, now)
        if decision.action == START:
            taken.jobs.append(Job(run_id, due.task, decision.slot))
            taken.started.append(run_id)
        else:
            taken.skipped.append(run_id)
    return taken


def _report(connection: sqlite3.Connection, taken: _Taken) -> TickReport:
    return TickReport(
        commit=catalogs.origin(connection).commit,
        started=tuple(history.runs_by_id(connection, taken.started)),
        skipped=tuple(history.runs_by_id(connection, taken.skipped)),
        lost=tuple(history.runs_by_id(connection, taken.lost)),
        problems=catalogs.problems(connection),
        next_slot=catalogs.next_slot(connection),
    )
