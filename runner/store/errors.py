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
        "`runner status` names a runner that is stopped; or look for an open sqlite3 shell",
    ),
    "SQLITE_READONLY": ("cannot be written", "check the permissions of the file and its folder"),
    "SQLITE_CANTOPEN": ("cannot be opened", "check that its folder exists and may be written"),
    "SQLITE_FULL": (
        "cannot grow: the disk is full",
        "free some space; nothing is lost, the next tick goes on",
    ),
    "SQLITE_IOERR": (
        "cannot be read or written: the disk answers with an error",
        "check the disk and its free space",
    ),
    "SQLITE_CORRUPT": ("is damaged", "restore a backup, or move the file away to start afresh"),
    "SQLITE_NOTADB": ("is not an SQLite database", "move the file away, or give another state folder"),
    "SQLITE_PERM": ("may not be read", "check the permissions of the file and its folder"),
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
        f"the database {path} cannot be used: {error}", "run `runner status` for more, or restore a backup"
    )
