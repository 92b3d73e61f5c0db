"""Run again what a run was: the same slot, the same version or today's. The schedule is not touched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from difflib import unified_diff
from typing import TYPE_CHECKING

from runner.errors import UsageError
from runner.model.run import RunDetails
from runner.model.words import RUNNING
from runner.operations.find import known_task
from runner.operations.lost import end_lost
from runner.operations.run_now import claim, run_claimed
from runner.operations.site import Site
from runner.store import catalogs, history
from runner.store.claims import Wanted
from runner.store.database import opened, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from runner.model.wait import Wait
    from runner.operations.tick import Refresh


@dataclass(frozen=True, slots=True)
class Replay:
    """A run and what became of it when it was made again; `difference` is that of the outputs, as lines of a unified diff."""

    original: RunDetails
    again: RunDetails
    difference: tuple[str, ...]


def replay(
    site: Site,
    refresh: Refresh,
    run_id: int,
    now: datetime,
    *,
    at_head: bool = False,
    show: Callable[[bytes], None] | None = None,
    waits: Callable[[Wait], None] | None = None,
) -> Replay:
    """Make a run again and return both; with `at_head` with the version that is in force now. Raises UsageError, RunnerError."""
    with opened(site.database) as connection:
        refresh(connection, now)
        end_lost(connection, site, now)
        with transaction(connection):
            original = history.run_details(connection, run_id)
            if original is None:
                raise UsageError(f"there is no run {run_id}", "`runner history` lists them")
            if original.run.status == RUNNING:
                raise UsageError(f"run {run_id} has not ended yet", f"wait for it: `runner logs -f {run_id}`")
            stored = known_task(connection, original.run.task)
            claimed = claim(connection, stored, _wanted(connection, original, stored, at_head=at_head), now)
    again = run_claimed(site, claimed, now, show, waits)
    return Replay(original, again, _difference(original, again))


def _wanted(
    connection: sqlite3.Connection, original: RunDetails, stored: catalogs.StoredTask, *, at_head: bool
) -> Wanted:
    run = original.run
    version, commit = history.version_of(connection, run.run_id), run.commit
    if at_head:
        if stored.version is None or stored.blob is None:
            raise UsageError(
                f"the task {stored.id} has no valid version now", "leave --at-commit away to run the original"
            )
        version, commit = stored.version, stored.valid_commit or catalogs.origin(connection).commit
    return Wanted(stored.key, version, commit, run.run_id, run.scheduled_for)


def _difference(original: RunDetails, again: RunDetails) -> tuple[str, ...]:
    old, new = (details.output.decode("utf-8", "replace").splitlines() for details in (original, again))
    before, after = (f"run {details.run.run_id}" for details in (original, again))
    return tuple(unified_diff(old, new, before, after, lineterm=""))
