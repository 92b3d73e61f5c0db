"""How it stands with the remote that is followed: when it was asked, since when that fails, whether what came can be read."""

from __future__ import annotations

from datetime import datetime

from runner.clock import to_millis
from runner.store.rows import instant
from runner.store.session import Deciding, Reading
from runner.value import Value

_MINUTE = 60_000


class Remote(Value):
    """When a fetch last succeeded; since when fetches fail, and why; since when what came cannot be put in force, and why."""

    fetched_at: datetime | None
    failing_since: datetime | None
    failure: str | None
    stuck_since: datetime | None
    stuck: str | None


def load(session: Reading) -> Remote:
    """Return how it stands."""
    sql = "SELECT fetched_at, failing_since, failure, stuck_since, stuck FROM remote"
    fetched, failing_since, failure, stuck_since, stuck = session.one(sql) or (None,) * 5
    return Remote(instant(fetched), instant(failing_since), failure, instant(stuck_since), stuck)


def note_try(session: Deciding, now: datetime) -> None:
    """Note that the remote is asked, before it is: who is killed meanwhile is not followed by another try at once.

    Its minute counts: ticks come a moment earlier or later in theirs.
    """
    millis = to_millis(now)
    session.change("UPDATE remote SET tried_at = ?", (millis - millis % _MINUTE,))


def note_fetched(session: Deciding, now: datetime) -> None:
    """Note that a fetch has succeeded."""
    session.change("UPDATE remote SET fetched_at = ?, failing_since = NULL, failure = NULL", (to_millis(now),))


def note_failure(session: Deciding, now: datetime, why: str) -> None:
    """Note that a fetch has failed; since when they do stays."""
    sql = "UPDATE remote SET failing_since = coalesce(failing_since, ?), failure = ?"
    session.change(sql, (to_millis(now), why))


def note_stuck(session: Deciding, now: datetime, why: str | None) -> None:
    """Note why what was fetched cannot be put in force, or that it can."""
    if why is None:
        session.change("UPDATE remote SET stuck_since = NULL, stuck = NULL WHERE stuck IS NOT NULL")
        return
    sql = "UPDATE remote SET stuck_since = coalesce(stuck_since, ?), stuck = ? WHERE stuck IS NULL OR stuck <> ?"
    session.change(sql, (to_millis(now), why, why))
