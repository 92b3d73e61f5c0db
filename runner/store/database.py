"""Open the store for one purpose: to read it, to decide, to record runs, or to decide on a copy (dry run)."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from runner.errors import StoreGoneError
from runner.store.errors import explained
from runner.store.idle import as_uri
from runner.store.migrate import PATIENCE, VERSION, migrate, version_of
from runner.store.session import Deciding, Reading

#: The tables that a decision reads → which rows of them. Each table follows those that it refers to.
_COPIED = {
    "catalog": "",
    "remote": "",
    "versions": "",
    "tasks": "",
    "problems": "",
    "runs": "WHERE status = 'running'",
    "attempts": "WHERE status = 'running'",
}


@contextmanager
def deciding(path: str) -> Iterator[Deciding]:
    """Open the store to change it; create it or migrate it first, where needed. Raises StoreError."""
    with explained(path), closing(_connect(path)) as connection:
        migrate(connection, path)
        yield Deciding(connection)


FileId = tuple[int, int]


def file_id(path: str) -> FileId:
    """Return the device and the inode of the file at `path`, which distinguish it from another file (stat(2)).

    Raises StoreGoneError where there is no file.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise _gone(path, "was removed") from error
    return status.st_dev, status.st_ino


@contextmanager
def recording(path: str, known: FileId) -> Iterator[Deciding]:
    """Open the store with the file id `known`, in which runs were taken, to record these runs.

    Raises StoreError; StoreGoneError where the file was removed or replaced. A task may remove it, and another process
    may then create a new store at the same path: that one does not have these runs.
    """
    if file_id(path) != known:
        raise _gone(path, "was replaced")
    with explained(path), closing(_connect_to_file(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield Deciding(connection)


def _gone(path: str, cause: str) -> StoreGoneError:
    return StoreGoneError(
        f"the database {path} {cause} while runs were under way",
        "the ends of these runs are not recorded; find out which program removed the file: it may be a task",
    )


@contextmanager
def held_open(path: str) -> Iterator[None]:
    """Keep the store open while the context lasts, so that sessions in it end without a checkpoint.

    SQLite writes a checkpoint when the last connection to a database is closed (https://sqlite.org/wal.html). No
    process that opens the store may be forked meanwhile (https://sqlite.org/howtocorrupt.html, section 2.6). Raises
    StoreError.
    """
    with explained(path), closing(_connect(path)) as connection:
        version_of(connection)  # a connection takes part in the write-ahead log only after its first read
        yield


@contextmanager
def reading(path: str) -> Iterator[Reading]:
    """Open a snapshot of the store to read it; where there is no store, an empty one in memory. Raises StoreError."""
    with explained(path), closing(_connect_to_read(path)) as connection:
        connection.execute("BEGIN")
        connection.execute("PRAGMA query_only = ON")
        yield Reading(connection)


@contextmanager
def dry_run(path: str) -> Iterator[Deciding]:
    """Open a copy in memory of what a decision reads. Changes of the copy never reach the store. Raises StoreError."""
    with explained(path), closing(_connect_to_copy(path)) as connection:
        # A copied row may refer to a row that is not copied, such as a run that has ended.
        connection.execute("PRAGMA foreign_keys = OFF")
        yield Deciding(connection)


def _connect_to_copy(path: str) -> sqlite3.Connection:
    if not _is_written(path) or _is_old(path):
        return _connect_to_read(path)  # this one is in memory already
    copy = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    copy.execute("ATTACH DATABASE ? AS live", (_uri(path),))
    copy.execute("BEGIN")  # one snapshot for all tables
    for (statement,) in copy.execute(
        "SELECT sql FROM live.sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    ).fetchall():
        if statement is not None:  # None for an index that SQLite makes for a constraint of a table
            copy.execute(statement)
    copy.execute(f"PRAGMA main.user_version = {VERSION}")
    for table, condition in _COPIED.items():
        copy.execute(f"INSERT INTO main.{table} SELECT * FROM live.{table} {condition}")  # noqa: S608
    copy.execute("COMMIT")
    copy.execute("DETACH DATABASE live")
    return copy


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    # The kernel caches the file, so a small cache in this process is enough: 512 KiB.
    connection.execute("PRAGMA cache_size = -512")
    return connection


def _connect_to_read(path: str) -> sqlite3.Connection:
    """Open a store of the present version to read it: the file, or a copy in memory that has been migrated."""
    if not _is_written(path):
        empty = _connect(":memory:")
        migrate(empty, path)
        return empty
    connection = _connect_to_file(path)
    if version_of(connection) == VERSION:
        return connection
    copy = _connect(":memory:")
    with closing(connection):
        connection.backup(copy)
    migrate(copy, path)
    return copy


def _is_written(path: str) -> bool:
    """Return whether there is a store. A process that creates one begins with an empty file, which does not count."""
    if not os.path.exists(path):
        return False
    with closing(_connect_to_file(path)) as connection:
        return version_of(connection) > 0


def _is_old(path: str) -> bool:
    with closing(_connect_to_file(path)) as connection:
        return version_of(connection) != VERSION


def _connect_to_file(path: str) -> sqlite3.Connection:
    """Open the file without creating or migrating it."""
    return sqlite3.connect(_uri(path), timeout=PATIENCE, isolation_level=None, uri=True)


def _uri(path: str) -> str:
    """Return the URI of an existing database, with `immutable` where its folder cannot be written.

    SQLite needs a writable folder even to read a WAL database, unless the file is immutable
    (https://sqlite.org/wal.html#readonly).
    """
    may_change = os.access(os.path.dirname(path), os.W_OK) or os.path.exists(path + "-wal")
    return f"{as_uri(path)}?mode=rw" if may_change else f"{as_uri(path)}?immutable=1"
