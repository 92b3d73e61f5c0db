"""Run one task now, because a person asks for it. Its schedule is not touched."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from runner.errors import RunnerError, UsageError
from runner.execution import processes
from runner.execution.job import Job
from runner.execution.workshop import Workshop
from runner.model.run import RunDetails
from runner.operations.find import known_task
from runner.operations.lost import end_leftovers, find_lost, mark_lost
from runner.operations.site import Site
from runner.operations.supervise import supervise
from runner.store import catalogs, claims, history
from runner.store.database import opened, transaction

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.operations.tick import Refresh


@dataclass(frozen=True, slots=True)
class _Claimed:
    job: Job
    store_id: str
    max_parallel: int


def run_now(
    site: Site, refresh: Refresh, task_id: str, now: datetime, show: Callable[[bytes], None] | None = None
) -> RunDetails:
    """Run a task and return what became of it; `show` is given its output as it comes. Raises RunnerError, UsageError."""
    with opened(site.database) as connection:
        refresh(connection, now)
        lost = find_lost(connection)
        end_leftovers(Workshop(site.root, site.state, catalogs.origin(connection).store_id), lost)
        with transaction(connection):
            mark_lost(connection, lost, now)
            claimed = _claim(connection, task_id, now)
    supervise(site, claimed.store_id, claimed.max_parallel, deque([claimed.job]), show)
    with opened(site.database) as connection:
        details = history.run_details(connection, claimed.job.run_id)
    if details is None:
        raise RunnerError(f"run {claimed.job.run_id} is no longer on record", "was the database replaced meanwhile?")
    return details


def _claim(connection: sqlite3.Connection, task_id: str, now: datetime) -> _Claimed:
    stored = known_task(connection, task_id)
    if stored.version is None or stored.blob is None:
        what = "was never valid" if stored.blob is not None else "is gone"
        raise UsageError(f"the task {task_id} cannot run: its file {what}", "see `runner status`")
    running = claims.running_run(connection, stored.key)
    if running is not None:
        raise RunnerError(
            f"the task {task_id} is running already (run {running})",
            f"wait for it, or look at `runner show {running}`",
        )
    origin = catalogs.origin(connection)
    commit = stored.valid_commit or origin.commit
    run_id = claims.claim_by_hand(connection, stored.key, stored.version, commit, processes.supervisor(), now)
    task = catalogs.load_task(connection, stored.version, task_id)
    return _Claimed(Job(run_id, task), origin.store_id, origin.max_parallel)
