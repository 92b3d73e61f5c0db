"""Find what a person has named, or say what comes near."""

from __future__ import annotations

import sqlite3

from runner.errors import UsageError
from runner.store import catalogs
from runner.store.catalogs import StoredTask


def known_task(connection: sqlite3.Connection, task_id: str) -> StoredTask:
    """Return a task by its id. Raises UsageError, with the nearest id as a hint."""
    stored = catalogs.find_task(connection, task_id)
    if stored is None:
        raise UsageError(f"there is no task {task_id}", _nearest(connection, task_id))
    return stored


def check_known(connection: sqlite3.Connection, task_ids: frozenset[str] | None) -> None:
    """Raise UsageError for the first id that no task has."""
    for task_id in sorted(task_ids or ()):
        known_task(connection, task_id)


def _nearest(connection: sqlite3.Connection, task_id: str) -> str:
    # Imported when met: only a mistyped id needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    ids = list(catalogs.present_blobs(connection))
    plain = task_id.removeprefix("tasks/").removesuffix(".yaml")
    close = [plain] if plain in ids else get_close_matches(task_id, ids, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "`runner list` names them all"
