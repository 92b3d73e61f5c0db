"""How runs ended."""

from __future__ import annotations

import sqlite3

from runner.clock import to_millis
from runner.model.run import Ending

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable


def record_endings(connection: sqlite3.Connection, endings: Iterable[tuple[int, Ending]]) -> None:
    """Record how attempts ended, and with them their runs. A run that somebody else has ended stays as it is."""
    for run_id, ending in endings:
        row = connection.execute("SELECT attempts FROM runs WHERE id = ? AND status = 'running'", (run_id,)).fetchone()
        if row is None:
            continue
        if row[0]:
            _add_attempt(connection, run_id, row[0], ending)
        connection.execute(
            "UPDATE runs SET status = ?, reason = coalesce(?, reason), finished_at = ? WHERE id = ?",
            (ending.status, ending.reason, to_millis(ending.finished_at), run_id),
        )


def _add_attempt(connection: sqlite3.Connection, run_id: int, number: int, ending: Ending) -> None:
    error = ending.error
    connection.execute(
        "INSERT INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(run_id, number, ending.status, to_millis(ending.started_at), to_millis(ending.finished_at)),
            *(ending.exit_code, ending.signal),
            *((error.type, error.message, error.file, error.line) if error is not None else (None,) * 4),
            *(ending.traceback, ending.output, ending.output_dropped_bytes),
        ),
    )
