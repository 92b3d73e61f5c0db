"""Record the start of an attempt, the end of an attempt and, in one place, the end of a run, each with its event.

Every change names the owner that makes it, and the attempt. It has no effect if another process owns the run now, or
another attempt is under way. So a supervisor that continues after others have ended its runs cannot change their
records.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.clock import monotonic_millis, to_millis
from runner.model import event
from runner.model.attempt_result import AttemptResult
from runner.store.events import note
from runner.store.rows import context_row
from runner.store.session import Deciding
from runner.value import Value

#: How long after its `timeout` and `kill_grace` an attempt is overdue: its owner does not respond then.
MARGIN = timedelta(seconds=60)
_MILLISECOND = timedelta(milliseconds=1)


class AttemptEnd(Value):
    """How an attempt of a run ended. `reason` is the new reason of the run, None where the run keeps its reason.

    `owner` is None for a run that waits for one. `retry_at` is when the next attempt may start, None where no attempt
    follows.
    """

    run_id: int
    attempt: int
    owner: str | None
    result: AttemptResult
    reason: str | None
    retry_at: datetime | None = None


# `runs.attempts` is the number of the last attempt whose start is recorded. The current attempt is that one if it is
# under way, else the next one. A change must name it: otherwise a late owner, whose attempt was ended by another
# process, would end the next attempt.
_IS_UNDER_WAY = """
EXISTS (SELECT 1 FROM attempts a WHERE a.run = runs.id AND a.number = runs.attempts AND a.status = 'running')
"""
_IS_OWNED = "id = ? AND status = 'running' AND coalesce(supervisor, '') = ?"
_IS_CURRENT = f"{_IS_OWNED} AND CASE WHEN {_IS_UNDER_WAY} THEN attempts ELSE attempts + 1 END = ?"
#: The condition that an attempt has not started. Its values: the id of the run, the owner, the number of the attempt.
NOT_STARTED = f"{_IS_OWNED} AND attempts + 1 = ? AND NOT {_IS_UNDER_WAY}"


#: The assignment of the values that `overdue` returns.
OVERDUE = "overdue_at = ?, overdue_monotonic = ?"


def overdue(now: datetime, after: timedelta) -> tuple[int, int]:
    """Return when an attempt is overdue, in milliseconds: of the system clock, and of the clock that cannot be set."""
    return to_millis(now + after), monotonic_millis() + after // _MILLISECOND


def record_start(
    session: Deciding, owner: str, run_id: int, attempt: int, started_at: datetime, limit: timedelta
) -> bool:
    """Record the start of an attempt, and when it is overdue. `limit` is the longest time that it may take.

    Return False, without a change, if the run is not the owner's or this attempt is not its next one.
    """
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
    """Record the end of an attempt and, unless another attempt follows, of its run.

    Return False, without a change, if the run is not the owner's or another attempt is under way. No attempt follows
    in a run that was asked to end. An attempt that never started gets no row.
    """
    row = session.one(
        f"SELECT cancel_reason, attempts FROM runs WHERE {_IS_CURRENT}",  # noqa: S608 - a constant of ours
        (end.run_id, end.owner or "", end.attempt),
    )
    if row is None:
        return False
    cancel_reason, attempts = row
    if end.result.started_at is not None:
        _add_attempt(session, end, end.result.started_at)
        attempts = end.attempt
    if end.retry_at is None or cancel_reason is not None:
        _end_run(session, end, attempts)
    else:
        _wait_for_retry(session, end, end.retry_at, attempts)
    return True


def _end_run(session: Deciding, end: AttemptEnd, attempts: int) -> None:
    """End a run. No other statement does."""
    result = end.result
    is_skipped = result.status == event.SKIPPED
    session.change(
        """
        UPDATE runs SET status = ?, reason = coalesce(?, reason), finished_at = ?, attempts = ?,
               started_at = coalesce(started_at, ?), through = CASE WHEN ? THEN scheduled_for ELSE through END,
               overdue_at = NULL, overdue_monotonic = NULL
        WHERE id = ?
        """,
        (
            *(result.status, end.reason, None if is_skipped else to_millis(result.finished_at), attempts),
            *(None if result.started_at is None else to_millis(result.started_at), is_skipped, end.run_id),
        ),
    )
    kind = event.SKIPPED if is_skipped else event.ENDED
    note(session, kind, result.finished_at, run=end.run_id, attempt=attempts or None, detail=result.status)


def _wait_for_retry(session: Deciding, end: AttemptEnd, retry_at: datetime, attempts: int) -> None:
    started_at = end.result.started_at
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
    note(session, event.RETRIED, end.result.finished_at, run=end.run_id, attempt=attempts, detail=end.result.status)


def _add_attempt(session: Deciding, end: AttemptEnd, started_at: datetime) -> None:
    result, error = end.result, end.result.error
    columns = {
        "run": end.run_id,
        "number": end.attempt,
        "status": result.status,
        "reason": result.reason,
        "started_at": to_millis(started_at),
        "finished_at": to_millis(result.finished_at),
        "exit_code": result.exit_code,
        "signal": result.signal,
        "error_type": None if error is None else error.type,
        "error_message": None if error is None else error.message,
        "error_file": None if error is None else error.file,
        "error_line": None if error is None else error.line,
        "output_dropped_bytes": result.output_dropped_bytes,
        "traceback": result.traceback,
        "context": context_row(result.context),
        "rehearsal": result.rehearsal or None,
    }
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    update = ", ".join(f"{name} = excluded.{name}" for name in columns)
    session.change(
        f"INSERT INTO attempts ({names}) VALUES ({marks}) ON CONFLICT (run, number) DO UPDATE SET {update}",  # noqa: S608
        tuple(columns.values()),
    )
    if result.output:
        session.change(
            "INSERT INTO outputs (run, attempt, output) VALUES (?, ?, ?) ON CONFLICT (run, attempt) DO NOTHING",
            (end.run_id, end.attempt, result.output),
        )
