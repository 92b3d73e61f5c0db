"""Opening the database: WAL, migrations by numbered files, transactions."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import contextmanager

from runner.errors import StoreError
from runner.store.errors import explained
from runner.store.idle import as_uri

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The database's file in the state folder.
FILE = "runner.db"
#: The version that this code writes: the number of the last migration.
VERSION = 2
#: How long a locked database is waited for, in seconds.
PATIENCE = 10.0

_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


@contextmanager
def opened(path: str) -> Iterator[sqlite3.Connection]:
    """Open the database for a while, made and brought up to date where needed. Raises StoreError."""
    with explained(path):
        connection = _connect(path)
        try:
            _migrate(connection, path)
            yield connection
        finally:
            connection.close()


@contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """Open the database to look at it; without one, an empty one in memory. Raises StoreError."""
    with explained(path):
        connection = _connect_to_read(path) if os.path.exists(path) else _connect(":memory:")
        try:
            if _version(connection) == 0:
                connection.close()
                connection = _connect(":memory:")
            _migrate(connection, path)
            yield connection
        finally:
            connection.close()


@contextmanager
def rehearsed(path: str) -> Iterator[sqlite3.Connection]:
    """Open the database so that nothing is ever written: all that happens is undone. Raises StoreError."""
    with reading(path) as connection:
        # Where nothing can be written, nothing has to be locked either, and looking goes on to work.
        connection.execute("BEGIN IMMEDIATE" if os.access(path, os.W_OK) else "BEGIN")
        yield connection


@contextmanager
def transaction(connection: sqlite3.Connection, *, durable: bool = True) -> Iterator[None]:
    """Hold the write lock; commit at the end, roll back on any exception.

    A durable transaction is on the disk when this returns; another one is on it after the next checkpoint, and a power loss may
    take it back as a whole (https://sqlite.org/pragma.html#pragma_synchronous). Inside of `rehearsed` nothing is committed.
    """
    if connection.in_transaction:
        yield
        return
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    # Every child is forked with what this process has in memory; the kernel caches the file all the same.
    connection.execute("PRAGMA cache_size = -512")
    return connection


def _connect_to_read(path: str) -> sqlite3.Connection:
    """Open a database; one in a folder that cannot be written is read as it lies there.

    A WAL database needs a writable folder even to be read, unless nobody can change it: https://sqlite.org/wal.html#readonly.
    """
    if os.access(os.path.dirname(path), os.W_OK) or os.path.exists(path + "-wal"):
        return _connect(path)
    return sqlite3.connect(f"{as_uri(path)}?immutable=1", uri=True, isolation_level=None)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection, path: str) -> None:
    version = _version(connection)
    if version == VERSION:
        return
    if version > VERSION:
        raise StoreError(
            f"the database {path} was written by a newer runner (schema {version}, this one knows {VERSION})",
            "update runner, or give another state folder",
        )
    _use_wal(connection)
    with transaction(connection):
        for number in range(_version(connection) + 1, VERSION + 1):
            for statement in _statements(number):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite does not wait for others here, whatever the timeout says."""
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > give_up:
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
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
