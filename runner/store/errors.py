"""What SQLite's errors mean for the person at the keyboard."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import StoreError

#: SQLite's result code (https://sqlite.org/rescode.html) → what happened, what to do
_MEANINGS = {
    "SQLITE_BUSY": (
        "is locked by another process for more than 10 s",
        "`runner status` names a runner that is stopped; otherwise look for an open sqlite3 shell",
    ),
    "SQLITE_READONLY": ("cannot be written", "check the permissions of the file and its folder"),
    "SQLITE_CANTOPEN": ("cannot be opened", "check that its folder exists and is writable"),
    "SQLITE_FULL": (
        "cannot grow: the disk is full",
        "free some space: nothing is lost, and the next tick continues the work",
    ),
    "SQLITE_IOERR": (
        "cannot be read or written: the disk reports an error",
        "check the disk and its free space",
    ),
    "SQLITE_CORRUPT": ("is damaged", "restore a backup, or move the file away to start with a new one"),
    "SQLITE_NOTADB": ("is not an SQLite database", "move the file away, or give another state folder"),
    "SQLITE_PERM": ("cannot be read: permission is denied", "check the permissions of the file and its folder"),
}


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn SQLite's errors about the database at `path` into a StoreError that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: str) -> StoreError:
    """Return the error in words."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for code, (what, hint) in _MEANINGS.items():
        if name == code or name.startswith(code + "_"):
            return StoreError(f"the database {path} {what}", hint)
    return StoreError(
        f"the database {path} cannot be used: {error}", "run `runner status` to see more, or restore a backup"
    )
