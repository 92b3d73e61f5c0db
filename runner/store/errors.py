"""Convert an error of SQLite into a StoreError, with the cause in words and a hint."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import StoreError

#: A result code of SQLite (https://sqlite.org/rescode.html) → the end of the message, and the hint.
_MEANINGS = {
    "SQLITE_BUSY": (
        "has been locked by another process for more than 10 s",
        "`runner status` names a supervisor that is stopped; if there is none, look for an open sqlite3 shell",
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
    """Raise an sqlite3.Error of the context as the StoreError that `explain` returns for the database at `path`."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: str) -> StoreError:
    """Return a StoreError for an error about the database at `path`, with a hint for the user."""
    name = getattr(error, "sqlite_errorname", "") or ""
    for code, (cause, hint) in _MEANINGS.items():
        if name == code or name.startswith(code + "_"):
            return StoreError(f"the database {path} {cause}", hint)
    return StoreError(
        f"the database {path} cannot be used: {error}", "run `runner status` for details, or restore a backup"
    )
