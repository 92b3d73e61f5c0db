"""Record events, in the transaction of their cause, and query them."""

from __future__ import annotations

from datetime import datetime

from runner.clock import from_millis, to_millis
from runner.store.session import Deciding, Reading
from runner.value import Value


class Event(Value):
    """One event. `kind` is a word of `model.event`, `detail` a text for the user."""

    at: datetime
    kind: str
    commit: str | None
    detail: str | None


def note(
    session: Deciding,
    kind: str,
    at: datetime,
    *,
    task: int | None = None,
    run: int | None = None,
    attempt: int | None = None,
    commit: str | None = None,
    detail: str | None = None,
) -> None:
    """Add an event. Call it inside the transaction of its cause."""
    session.change(
        "INSERT INTO events (at, kind, task, run, attempt, commit_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (to_millis(at), kind, task, run, attempt, commit, detail),
    )


_EVENT = "SELECT at, kind, commit_id, detail FROM events"


def of_task(session: Reading, key: int) -> list[Event]:
    """Return the events of a task, without those of its runs, the oldest first."""
    return [_event(row) for row in session.query(f"{_EVENT} WHERE task = ? AND run IS NULL ORDER BY at, id", (key,))]


def of_clock(session: Reading, since: datetime) -> list[Event]:
    """Return the last events of the clock since an instant, at most 20, in the order in which they were recorded."""
    rows = session.query(f"{_EVENT} WHERE task IS NULL AND run IS NULL ORDER BY id DESC LIMIT 20")
    found = [_event(row) for row in rows]
    return [event for event in reversed(found) if event.at >= since]


def _event(row: tuple[int, str, str | None, str | None]) -> Event:
    return Event(from_millis(row[0]), *row[1:])
