"""Slots that were decided: one row for each, or for a stretch of those that were not run."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from runner.clock import to_millis
from runner.model.state import Decision
from runner.model.words import SKIPPED


def record_skip(
    connection: sqlite3.Connection, key: int, version: int, commit: str | None, decision: Decision, now: datetime
) -> int:
    """Record a slot that is not run; return the id of its row.

    A stretch of slots behind one run is one row: later ones are counted in `missed`.
    """
    slot = to_millis(decision.slot)
    stretch = connection.execute(
        "SELECT id FROM runs WHERE task = ? AND status = 'skipped' AND blocked_by = ?",
        (key, decision.blocked_by),
    ).fetchone()
    if stretch is not None:
        connection.execute(
            "UPDATE runs SET through = ?, missed = missed + ? WHERE id = ?",
            (slot, decision.missed + 1, stretch[0]),
        )
        return int(stretch[0])
    return insert_run(
        connection,
        {
            "task": key,
            "version": version,
            "commit_id": commit,
            "trigger": decision.trigger,
            "status": SKIPPED,
            "reason": decision.reason,
            "scheduled_for": slot,
            "through": slot,
            "missed": decision.missed,
            "blocked_by": decision.blocked_by,
            "decided_at": to_millis(now),
        },
    )


def is_decided(connection: sqlite3.Connection, key: int, slot: datetime) -> bool:
    """Return whether a slot is on record already: the clock may have been set back since."""
    sql = """SELECT 1 FROM runs WHERE task = ? AND scheduled_for = ? AND "trigger" <> 'replay'"""
    return connection.execute(sql, (key, to_millis(slot))).fetchone() is not None


def insert_run(connection: sqlite3.Connection, columns: dict[str, object]) -> int:
    """Add a row to `runs`; return its id."""
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join("?" * len(columns))
    # The names are ours; the values are bound.
    cursor = connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
    return int(cursor.lastrowid or 0)
