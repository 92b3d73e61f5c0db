"""Migrate a store from the version in which it was written to the present one: numbered files, each run once.

A migration never changes after its release (`tests/acceptance/test_upgrades.py` checks that).

`0001` is the form that 0.1.0 released. Builds between 0.1.0 and the next release wrote four forms with more columns
under the same number: `version_1.widen` adds the missing columns, so that `0002` runs on one form only.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator

from runner.errors import StoreError

#: The version that this code reads and writes: the number of the last migration.
VERSION = 3
#: How long a process waits for a locked database, in seconds.
PATIENCE = 10.0

_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version in which a store was written; 0 for an empty database."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Migrate a store to the present version, in one transaction. `path` is only for the error message.

    Raises StoreError for a store that a newer runner has written, and sqlite3.Error.
    """
    version = version_of(connection)
    if version == VERSION:
        return
    if version > VERSION:
        raise StoreError(
            f"the database {path} was written by a newer runner (schema {version}, this one supports {VERSION})",
            "update runner, or give another state folder",
        )
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # The version is read again: another process may have migrated the store meanwhile.
        for number in range(version_of(connection) + 1, VERSION + 1):
            _apply(connection, number)
            connection.execute(f"PRAGMA user_version = {number}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection, number: int) -> None:
    if number == 2:  # noqa: PLR2004 - the number of a migration
        from runner.store.version_1 import definition, widen  # noqa: PLC0415 - only for stores of that version

        widen(connection)
        connection.create_function("definition_of_version_1", 18, definition, deterministic=True)
    for statement in _statements(number):
        connection.execute(statement)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite ignores its busy timeout here, so this function waits."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _statements(number: int) -> Iterator[str]:
    name = next(name for name in os.listdir(_MIGRATIONS) if name.startswith(f"{number:04}_"))
    statement = ""
    with open(os.path.join(_MIGRATIONS, name), encoding="utf-8") as lines:
        for line in lines:
            statement += line
            if ";" in line and sqlite3.complete_statement(statement):
                yield statement
                statement = ""
