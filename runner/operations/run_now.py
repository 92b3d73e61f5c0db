"""Run one task now, because a person asks for it. Its schedule is not touched."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from runner import clock
from runner.errors import RunnerError, UsageError
from runner.execution import processes
from runner.model.ending import Ending
from runner.model.job import Job
from runner.model.run import RunDetails
from runner.model.wait import Wait
from runner.model.words import CANCELLED, FORBID, REPLACE, RUNNING
from runner.operations.cancel import wait_for_end
from runner.operations.find import known_task
from runner.operations.lost import end_lost
from runner.operations.site import Site
from runner.operations.supervise import Supervisor
from runner.store import catalogs, claims, history, queue
from runner.store.catalogs import StoredTask
from runner.store.claims import Wanted
from runner.store.database import opened, transaction
from runner.store.endings import record_end

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.operations.tick import Refresh


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run in our hands. `in_the_way` are the runs that end before it, with who has each in hand."""

    job: Job
    in_the_way: dict[int, str]


def run_now(
    site: Site,
    refresh: Refresh,
    task_id: str,
    now: datetime,
    show: Callable[[bytes], None] | None = None,
    waits: Callable[[Wait], None] | None = None,
) -> RunDetails:
    """Run a task and return what became of it; `show` is given its output as it comes, `waits` what it has to wait for.

    Raises RunnerError, UsageError.
    """
    with opened(site.database) as connection:
        refresh(connection, now)
        end_lost(connection, site, now)
        with transaction(connection):
            claimed = _claim(connection, task_id, now)
    return run_claimed(site, claimed, now, show, waits)


def run_claimed(
    site: Site,
    claimed: Claimed,
    now: datetime,
    show: Callable[[bytes], None] | None = None,
    waits: Callable[[Wait], None] | None = None,
) -> RunDetails:
    """Run what is in hand, once nothing is in its way, and return what became of it. Raises RunnerError."""
    waits = waits or (lambda _: None)
    try:
        if claimed.in_the_way:
            waits(_for_replaced(site, claimed))
        wait_for_end(site, claimed.in_the_way, now)
    except KeyboardInterrupt:
        _never_start(site, claimed.job)
        raise
    Supervisor(site, now, show, lambda: waits(_for_place(site, claimed.job))).run(claimed.job)
    with opened(site.database) as connection:
        details = history.run_details(connection, claimed.job.run_id)
    if details is None:
        raise RunnerError(f"run {claimed.job.run_id} is no longer on record", "was the database replaced meanwhile?")
    return details


def _for_replaced(site: Site, claimed: Claimed) -> Wait:
    with opened(site.database) as connection:
        return Wait(tuple(history.runs_by_id(connection, claimed.in_the_way)))


def _for_place(site: Site, job: Job) -> Wait:
    with opened(site.database) as connection:
        limit = queue.terms(connection).max_parallel
        running = reversed(history.find_runs(connection, status=RUNNING))
        return Wait(tuple(run for run in running if run.run_id != job.run_id and run.is_under_way()), limit)


def _never_start(site: Site, job: Job) -> None:
    """Record that a person has changed their mind before a run was started."""
    reason = "Ctrl-C before it was started"
    with opened(site.database) as connection, transaction(connection):
        record_end(connection, job.run_id, job.attempt, Ending(CANCELLED, None, clock.now(), reason), reason, None)


def _claim(connection: sqlite3.Connection, task_id: str, now: datetime) -> Claimed:
    stored = known_task(connection, task_id)
    if stored.version is None or stored.blob is None:
        what = "was never valid" if stored.blob is not None else "is gone"
        raise UsageError(f"the task {task_id} cannot run: its file {what}", "see `runner status`")
    commit = stored.valid_commit or catalogs.origin(connection).commit
    return claim(connection, stored, Wanted(stored.key, stored.version, commit), now)


def claim(connection: sqlite3.Connection, stored: StoredTask, wanted: Wanted, now: datetime) -> Claimed:
    """Take a run that a person asks for into our hands; call it inside of a transaction. Raises RunnerError."""
    under_way = claims.runs_under_way(connection, stored.key)
    if under_way and stored.policy.concurrency_policy == FORBID:
        raise RunnerError(
            f"the task {stored.id} is running already (run {under_way[-1]})",
            f"wait for it, or end it: `runner cancel {under_way[-1]}`",
        )
    run_id = claims.claim_by_hand(connection, wanted, processes.supervisor(), now)
    in_the_way = _replace(connection, stored, under_way, run_id, now)
    return Claimed(queue.job(connection, run_id), in_the_way)


def _replace(
    connection: sqlite3.Connection, stored: StoredTask, under_way: tuple[int, ...], run_id: int, now: datetime
) -> dict[int, str]:
    if stored.policy.concurrency_policy != REPLACE:
        return {}
    asked = {old: claims.ask_to_end(connection, old, f"replaced by run {run_id}", now) for old in under_way}
    return {old: supervisor for old, supervisor in asked.items() if supervisor is not None}
