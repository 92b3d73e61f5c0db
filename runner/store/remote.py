"""How it stands with the remote that is followed: when it was asked, since when that fails, whether what came can be read."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from runner.clock import to_millis
from runner.store.rows import instant

_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Remote:
    """When a fetch last succeeded; since when fetches fail, and why; since when what came cannot be put in force, and why."""

    fetched_at: datetime | None
    failing_since: datetime | None
    failure: str | None
    stuck_since: datetime | None
    stuck: str | None


def load(connection: sqlite3.Connection) -> Remote:
    """Return how it stands."""
    sql = "SELECT fetched_at, failing_since, failure, stuck_since, stuck FROM remote"
    fetched, failing_since, failure, stuck_since, stuck = connection.execute(sql).fetchone()
    return Remote(instant(fetched), instant(failing_since), failure, instant(stuck_since), stuck)


def note_try(connection: sqlite3.Connection, now: datetime) -> None:
    """Note that the remote is asked, before it is: who is killed meanwhile is not followed by another try at once.

    Its minute counts: ticks come a moment earlier or later in theirs.
    """
    millis = to_millis(now)
    connection.execute("UPDATE remote SET tried_at = ?", (millis - millis % _MINUTE,))


def note_fetched(connection: sqlite3.Connection, now: datetime) -> None:
    """Note that a fetch has succeeded."""
    connection.execute("UPDATE remote SET fetched_at = ?, failing_since = NULL, failure = NULL", (to_millis(now),))


def note_failure(connection: sqlite3.Connection, now: datetime, why: str) -> None:
    """Note that a fetch has failed; since when they do stays."""
    sql = "UPDATE remote SET failing_since = coalesce(failing_since, ?), failure = ?"
    connection.execute(sql, (to_millis(now), why))


def note_stuck(connection: sqlite3.Connection, now: datetime, why: str | None) -> None:
    """Note why what was fetched cannot be put in force, or that it can."""
    if why is None:
        connection.execute("UPDATE remote SET stuck_since = NULL, stuck = NULL WHERE stuck IS NOT NULL")
        return
    sql = "UPDATE remote SET stuck_since = coalesce(stuck_since, ?), stuck = ? WHERE stuck IS NOT ?"
    connection.execute(sql, (to_millis(now), why, why))
