"""What a tick would do now: for every task whether it would run, and why or why not.

Decided by the tick's own code; nothing is written.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from runner import planning
from runner.execution.output import Capture
from runner.model.problem import Problem
from runner.model.state import START
from runner.operations.lost import Remains, find_lost, settle
from runner.operations.site import Site
from runner.store import catalogs, claims
from runner.store.catalogs import StoredTask
from runner.store.database import rehearsed
from runner.store.rows import local_text

if TYPE_CHECKING:
    from runner.operations.tick import Refresh


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tick would do about one task. `slot` is the slot that would be decided, None where none has come."""

    task: str
    timezone: str
    would_run: bool
    reason: str
    slot: datetime | None = None
    missed: int = 0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The verdicts, by task, and the problems of the files."""

    commit: str | None
    verdicts: tuple[Verdict, ...]
    problems: tuple[Problem, ...]

    def has_errors(self) -> bool:
        """Return whether a file cannot be used as it is."""
        return any(problem.is_error() for problem in self.problems)


def rehearse(site: Site, refresh: Refresh, now: datetime, only: frozenset[str] | None = None) -> Rehearsal:
    """Return what a tick at `now` would do. Works without any state, as if no task had ever been seen. Raises RunnerError."""
    with rehearsed(site.database) as connection:
        refresh(connection, now)
        lost = [Remains(orphan, has_begun=True, output=Capture()) for orphan in find_lost(connection)]
        settle(connection, lost, now)
        verdicts = [
            _verdict(connection, task, now)
            for task in catalogs.stored_tasks(connection)
            if only is None or task.id in only
        ]
        return Rehearsal(catalogs.origin(connection).commit, tuple(verdicts), catalogs.problems(connection))


def _verdict(connection: sqlite3.Connection, task: StoredTask, now: datetime) -> Verdict:
    if task.spec is None:
        return Verdict(task.id, "UTC", would_run=False, reason="its file was never valid")
    running = claims.runs_under_way(connection, task.key)
    decided = planning.decide(task.spec, task.policy, task.offset, task.state, running, now)
    if decided is None:
        return Verdict(task.id, task.spec.timezone, would_run=False, reason=_why_not(task))
    started = [decision for decision in decided.decisions if decision.action == START]
    decision = started[0] if started else decided.decisions[-1]
    reason = decision.reason
    if started and task.state.watermark is None and task.state.anchor == decision.slot:
        reason = "due: it is seen for the first time"
    if len(started) > 1:
        reason = f"{reason}; {len(started) - 1} later slots follow"
    return Verdict(task.id, task.spec.timezone, bool(started), reason, decision.slot, decision.missed)


def _why_not(task: StoredTask) -> str:
    if not task.active:
        return "inactive"
    if task.state.next_slot is None or task.spec is None:
        return "its schedule has no slot left"
    return f"not due before {local_text(task.state.next_slot + task.offset, task.spec)}"
