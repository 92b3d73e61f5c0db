"""Record when the followed branch was fetched, and why a fetch fails or a fetched commit cannot be put in force."""

from __future__ import annotations

from datetime import datetime

from runner.clock import to_millis
from runner.store.rows import instant
from runner.store.session import Deciding, Reading
from runner.value import Value

_MINUTE = 60_000


class Remote(Value):
    """When a fetch last succeeded, and since when and why fetches fail.

    `stuck_since` and `stuck`: since when and why the fetched commit cannot be put in force. None where it can.
    """

    fetched_at: datetime | None
    failing_since: datetime | None
    failure: str | None
    stuck_since: datetime | None
    stuck: str | None


def load(session: Reading) -> Remote:
    """Return what is recorded about fetches."""
    sql = "SELECT fetched_at, failing_since, failure, stuck_since, stuck FROM remote"
    fetched, failing_since, failure, stuck_since, stuck = session.one(sql) or (None,) * 5
    return Remote(instant(fetched), instant(failing_since), failure, instant(stuck_since), stuck)


def note_try(session: Deciding, now: datetime) -> None:
    """Record the minute of a fetch before it begins, so that a fetch that is killed is not repeated at once.

    The seconds are dropped, because cron starts ticks a moment earlier or later in their minutes.
    """
    millis = to_millis(now)
    session.change("UPDATE remote SET tried_at = ?", (millis - millis % _MINUTE,))


def note_fetched(session: Deciding, now: datetime) -> None:
    """Record that a fetch has succeeded."""
    session.change("UPDATE remote SET fetched_at = ?, failing_since = NULL, failure = NULL", (to_millis(now),))


def note_failure(session: Deciding, now: datetime, why: str) -> None:
    """Record that a fetch has failed. The time of the first failure in a row is kept."""
    sql = "UPDATE remote SET failing_since = coalesce(failing_since, ?), failure = ?"
    session.change(sql, (to_millis(now), why))


def note_stuck(session: Deciding, now: datetime, why: str | None) -> None:
    """Record why the fetched commit cannot be put in force; None if it can. The time of the first error is kept."""
    if why is None:
        session.change("UPDATE remote SET stuck_since = NULL, stuck = NULL WHERE stuck IS NOT NULL")
        return
    sql = "UPDATE remote SET stuck_since = coalesce(stuck_since, ?), stuck = ? WHERE stuck IS NULL OR stuck <> ?"
    session.change(sql, (to_millis(now), why, why))
