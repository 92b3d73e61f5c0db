"""End a run from outside, wherever it is: waiting, in the hands of a tick, or of one that is gone."""

from __future__ import annotations

from datetime import datetime

from runner import clock
from runner.errors import RunnerError, UsageError
from runner.execution import processes
from runner.model.run import Run
from runner.model.words import RUNNING
from runner.operations.lost import end_lost
from runner.operations.site import Site
from runner.store import claims, history
from runner.store.database import opened, transaction

REASON = "cancelled by hand"
#: Seconds between looks at the store, and between reminders to whoever has the run in hand.
_LOOK = 0.05
_REMIND = 1.0


def cancel(site: Site, run_id: int, now: datetime) -> Run:
    """End a run with its whole tree and return it once that is done. Raises UsageError, RunnerError."""
    with opened(site.database) as connection:
        found = history.run_details(connection, run_id)
        if found is None:
            raise UsageError(f"there is no run {run_id}", "`runner history` lists them")
        if found.run.status != RUNNING:
            raise RunnerError(f"run {run_id} has ended already ({found.run.status})", f"see `runner show {run_id}`")
        with transaction(connection):
            supervisor = claims.ask_to_end(connection, run_id, REASON, now)
    wait_for_end(site, {run_id: supervisor} if supervisor else {}, now)
    with opened(site.database) as connection:
        return history.runs_by_id(connection, [run_id])[0]


def wait_for_end(site: Site, supervisors: dict[int, str], now: datetime) -> None:
    """Return when those runs, each in the hands of somebody who was asked to end it, have ended."""
    reminded = float("-inf")
    while True:
        with opened(site.database) as connection:
            under_way = {run.run_id for run in history.runs_by_id(connection, supervisors) if run.status == RUNNING}
            if not under_way:
                return
            if clock.monotonic() - reminded >= _REMIND:
                reminded = clock.monotonic()
                answers = {processes.wake(supervisors[run_id]) for run_id in under_way}
                if answers != {True}:
                    end_lost(connection, site, now)
                    continue
        clock.pause(_LOOK)
