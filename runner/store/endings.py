"""What happens to runs in hand: their attempts start and end, and with the last one the run.

Loaded by the process that forks children: nothing heavy here.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runner.clock import to_millis
from runner.model.ending import Ending

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable


def record_starts(connection: sqlite3.Connection, starts: Iterable[tuple[int, int, datetime]]) -> None:
    """Record attempts that have started: run, number and instant."""
    for run_id, number, started_at in starts:
        at = to_millis(started_at)
        connection.execute(
            "INSERT OR IGNORE INTO attempts (run, number, status, started_at) VALUES (?, ?, 'running', ?)",
            (run_id, number, at),
        )
        connection.execute(
            "UPDATE runs SET attempts = max(attempts, ?), started_at = coalesce(started_at, ?) WHERE id = ? AND status = 'running'",
            (number, at, run_id),
        )


def record_end(
    connection: sqlite3.Connection,
    run_id: int,
    number: int,
    ending: Ending,
    said: str | None,
    retry_at: datetime | None,
) -> None:
    """Record how an attempt ended, and with it the run, unless it is tried again; `said` is the run's reason then.

    A run that somebody else has ended stays as it is. An attempt that never started leaves no row.
    """
    row = connection.execute("SELECT cancel_reason FROM runs WHERE id = ? AND status = 'running'", (run_id,)).fetchone()
    if row is None:
        return
    if row[0] is not None:
        retry_at = None  # somebody wanted the run to end, and it has
    if ending.started_at is not None:
        _add_attempt(connection, run_id, number, ending, ending.started_at)
    attempts = 0 if ending.started_at is None else number
    started_at = None if ending.started_at is None else to_millis(ending.started_at)
    if retry_at is not None:
        connection.execute(
            """
            UPDATE runs SET supervisor = NULL, due_at = ?, reason = ?, attempts = max(attempts, ?),
                   started_at = coalesce(started_at, ?)
            WHERE id = ?
            """,
            (to_millis(retry_at), said, attempts, started_at, run_id),
        )
        return
    connection.execute(
        """
        UPDATE runs SET status = ?, reason = coalesce(?, reason), finished_at = ?,
               attempts = max(attempts, ?), started_at = coalesce(started_at, ?)
        WHERE id = ?
        """,
        (ending.status, said, to_millis(ending.finished_at), attempts, started_at, run_id),
    )


def _add_attempt(
    connection: sqlite3.Connection, run_id: int, number: int, ending: Ending, started_at: datetime
) -> None:
    error = ending.error
    connection.execute(
        "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(run_id, number, ending.status, ending.reason, to_millis(started_at), to_millis(ending.finished_at)),
            *(ending.exit_code, ending.signal),
            *((error.type, error.message, error.file, error.line) if error is not None else (None,) * 4),
            *(ending.traceback, ending.output, ending.output_dropped_bytes),
        ),
    )
