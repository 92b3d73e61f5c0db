"""What happens to runs: an attempt starts, an attempt ends, and in one place a run ends. Each with its event.

Every change names the owner that makes it, and the attempt that it is about. Where another process owns the run by
now, or another attempt is under way, nothing is changed: a supervisor that was stopped, and given up by others, cannot
write into their record.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.clock import monotonic_millis, to_millis
from runner.model import event
from runner.model.attempt_result import AttemptResult
from runner.store.events import note
from runner.store.session import Deciding
from runner.value import Value

#: How much later than its time limit and its grace an attempt is overdue: its owner does not do its work then.
MARGIN = timedelta(seconds=60)
_MILLISECOND = timedelta(milliseconds=1)


class AttemptEnd(Value):
    """How an attempt of a run ended. `reason` is that of the run from now on, None where it keeps its own.

    `owner` is None for a run that waits for one; `retry_at` is when the next attempt may start, None where the run is
    over.
    """

    run_id: int
    attempt: int
    owner: str | None
    ending: AttemptResult
    reason: str | None
    retry_at: datetime | None = None


# `attempts` counts those that are on record as started: the one that is under way, or the one before it. Which of the
# two, the attempt itself says: an owner that is late would else end the next attempt in the place of one that was
# ended by others.
_IS_UNDER_WAY = """
EXISTS (SELECT 1 FROM attempts a WHERE a.run = runs.id AND a.number = runs.attempts AND a.status = 'running')
"""
_IS_OWNERS = "id = ? AND status = 'running' AND coalesce(supervisor, '') = ?"
_CURRENT = f"{_IS_OWNERS} AND CASE WHEN {_IS_UNDER_WAY} THEN attempts ELSE attempts + 1 END = ?"
#: An attempt that is about to start: of an owner, and the number that it will have.
NOT_STARTED = f"{_IS_OWNERS} AND attempts + 1 = ? AND NOT {_IS_UNDER_WAY}"


#: The columns that `overdue` has values for.
OVERDUE = "overdue_at = ?, overdue_monotonic = ?"


def overdue(now: datetime, after: timedelta) -> tuple[int, int]:
    """Return when an owner is late: on the clock of people, which may jump, and on the one that nobody can set."""
    return to_millis(now + after), monotonic_millis() + after // _MILLISECOND


def record_start(
    session: Deciding, owner: str, run_id: int, attempt: int, started_at: datetime, limit: timedelta
) -> bool:
    """Record that an attempt has started, with the time that it may take at most; return whether the run is the owner's."""
    at = to_millis(started_at)
    is_owner = session.change(
        f"UPDATE runs SET attempts = ?, started_at = coalesce(started_at, ?), {OVERDUE} WHERE {NOT_STARTED}",  # noqa: S608 - constants of ours
        (attempt, at, *overdue(started_at, limit + MARGIN), run_id, owner, attempt),
    )
    if not is_owner:
        return False
    session.change(
        "INSERT INTO attempts (run, number, status, started_at) VALUES (?, ?, 'running', ?) ON CONFLICT DO NOTHING",
        (run_id, attempt, at),
    )
    note(session, event.STARTED, started_at, run=run_id, attempt=attempt)
    return True


def end_attempt(session: Deciding, end: AttemptEnd) -> bool:
    """Record how an attempt ended, and with it the run, unless it is tried again; return whether the run was the owner's.

    A run that somebody wanted to end is not tried again. An attempt that never started leaves no row.
    """
    row = session.one(
        f"SELECT cancel_reason, attempts FROM runs WHERE {_CURRENT}",  # noqa: S608 - a constant of ours
        (end.run_id, end.owner or "", end.attempt),
    )
    if row is None:
        return False
    cancel_reason, attempts = row
    if end.ending.started_at is not None:
        _add_attempt(session, end, end.ending.started_at)
        attempts = end.attempt
    if end.retry_at is None or cancel_reason is not None:
        _end_run(session, end, attempts)
    else:
        _wait_for_retry(session, end, end.retry_at, attempts)
    return True


def _end_run(session: Deciding, end: AttemptEnd, attempts: int) -> None:
    """End a run: the one statement that does."""
    ending = end.ending
    is_skipped = ending.status == event.SKIPPED
    session.change(
        """
        UPDATE runs SET status = ?, reason = coalesce(?, reason), finished_at = ?, attempts = ?,
               started_at = coalesce(started_at, ?), through = CASE WHEN ? THEN scheduled_for ELSE through END,
               overdue_at = NULL, overdue_monotonic = NULL
        WHERE id = ?
        """,
        (
            *(ending.status, end.reason, None if is_skipped else to_millis(ending.finished_at), attempts),
            *(None if ending.started_at is None else to_millis(ending.started_at), is_skipped, end.run_id),
        ),
    )
    kind = event.SKIPPED if is_skipped else event.ENDED
    note(session, kind, ending.finished_at, run=end.run_id, attempt=attempts or None, detail=ending.status)


def _wait_for_retry(session: Deciding, end: AttemptEnd, retry_at: datetime, attempts: int) -> None:
    started_at = end.ending.started_at
    session.change(
        """
        UPDATE runs SET supervisor = NULL, overdue_at = NULL, overdue_monotonic = NULL, due_at = ?, reason = ?, attempts = ?,
               started_at = coalesce(started_at, ?)
        WHERE id = ?
        """,
        (
            *(to_millis(retry_at), end.reason, attempts),
            *(None if started_at is None else to_millis(started_at), end.run_id),
        ),
    )
    note(session, event.RETRIED, end.ending.finished_at, run=end.run_id, attempt=attempts, detail=end.ending.status)


def _add_attempt(session: Deciding, end: AttemptEnd, started_at: datetime) -> None:
    ending, error = end.ending, end.ending.error
    columns = {
        "run": end.run_id,
        "number": end.attempt,
        "status": ending.status,
        "reason": ending.reason,
        "started_at": to_millis(started_at),
        "finished_at": to_millis(ending.finished_at),
        "exit_code": ending.exit_code,
        "signal": ending.signal,
        "error_type": None if error is None else error.type,
        "error_message": None if error is None else error.message,
        "error_file": None if error is None else error.file,
        "error_line": None if error is None else error.line,
        "output_dropped_bytes": ending.output_dropped_bytes,
        "traceback": ending.traceback,
    }
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    update = ", ".join(f"{name} = excluded.{name}" for name in columns)
    session.change(
        f"INSERT INTO attempts ({names}) VALUES ({marks}) ON CONFLICT (run, number) DO UPDATE SET {update}",  # noqa: S608
        tuple(columns.values()),
    )
    if ending.output:
        session.change(
            "INSERT INTO outputs (run, attempt, output) VALUES (?, ?, ?) ON CONFLICT (run, attempt) DO NOTHING",
            (end.run_id, end.attempt, ending.output),
        )
