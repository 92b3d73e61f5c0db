"""What happened, in the order in which it was recorded. Each event stands in the transaction that makes it true."""

from __future__ import annotations

from datetime import datetime

from runner.clock import from_millis, to_millis
from runner.store.session import Deciding, Reading
from runner.value import Value


class Event(Value):
    """One event; `kind` is a word of `model.event`, `detail` more about it for people."""

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
    """Add an event; call it inside of the transaction that makes it true."""
    session.change(
        "INSERT INTO events (at, kind, task, run, attempt, commit_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (to_millis(at), kind, task, run, attempt, commit, detail),
    )


_EVENT = "SELECT at, kind, commit_id, detail FROM events"


def of_task(session: Reading, key: int) -> list[Event]:
    """Return what happened to a task itself, its runs aside, the oldest first."""
    return [_event(row) for row in session.ask(f"{_EVENT} WHERE task = ? AND run IS NULL ORDER BY at, id", (key,))]


def of_clock(session: Reading, since: datetime) -> list[Event]:
    """Return what ticks have found wrong with the clock since an instant, in the order in which they found it."""
    rows = session.ask(f"{_EVENT} WHERE task IS NULL AND run IS NULL ORDER BY id DESC LIMIT 20")
    found = [_event(row) for row in rows]
    return [event for event in reversed(found) if event.at >= since]


def _event(row: tuple[int, str, str | None, str | None]) -> Event:
    return Event(from_millis(row[0]), *row[1:])
