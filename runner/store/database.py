"""Opening the store, by intent: to read, to try what a tick would do, to decide, or to record what has been run."""

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

#: What deciding reads, in an order in which each table finds what it refers to; of runs, only those under way.
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
    """Open the store to change it, made and brought up to date where needed. Raises StoreError."""
    with explained(path), closing(_connect(path)) as connection:
        migrate(connection, path)
        yield Deciding(connection)


FileId = tuple[int, int]


def file_id(path: str) -> FileId:
    """Return what tells the file of a store from another one in its place.

    Raises StoreGoneError where there is none.
    """
    try:
        found = os.stat(path)
    except OSError as error:
        raise _gone(path, "was removed") from error
    return found.st_dev, found.st_ino


@contextmanager
def recording(path: str, known: FileId) -> Iterator[Deciding]:
    """Open the very store in which runs were taken, to record them.

    Raises StoreError; StoreGoneError where it is gone.

    A task may remove it, and another process make a new one in its place: what ran is not known there.
    """
    if file_id(path) != known:
        raise _gone(path, "was replaced")
    with explained(path), closing(_connect_as_it_lies(path)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield Deciding(connection)


def _gone(path: str, what: str) -> StoreGoneError:
    return StoreGoneError(
        f"the database {path} {what} while runs were under way",
        "how these runs ended is not on record; find out what removed the file, perhaps a task",
    )


@contextmanager
def held_open(path: str) -> Iterator[None]:
    """Keep the store open for a while, so that each session does not write a checkpoint at its end, as the last one does.

    Fork nobody meanwhile who opens the store: https://sqlite.org/howtocorrupt.html, section 2.6.
    """
    with explained(path), closing(_connect(path)) as connection:
        version_of(connection)  # only who has read holds it open
        yield


@contextmanager
def reading(path: str) -> Iterator[Reading]:
    """Open a snapshot of the store; without a store, an empty one in memory. Raises StoreError."""
    with explained(path), closing(_connect_to_read(path)) as connection:
        connection.execute("BEGIN")
        connection.execute("PRAGMA query_only = ON")
        yield Reading(connection)


@contextmanager
def dry_run(path: str) -> Iterator[Deciding]:
    """Open a copy in memory of what deciding reads; nothing of it is ever written to the store. Raises StoreError."""
    with explained(path), closing(_connect_to_copy(path)) as connection:
        # What a copied run refers to may have been left out.
        connection.execute("PRAGMA foreign_keys = OFF")
        yield Deciding(connection)


def _connect_to_copy(path: str) -> sqlite3.Connection:
    if not _is_written(path) or _is_old(path):
        return _connect_to_read(path)  # that is in memory already
    copy = sqlite3.connect(":memory:", isolation_level=None, uri=True)
    copy.execute("ATTACH DATABASE ? AS live", (_uri(path),))
    copy.execute("BEGIN")  # one snapshot for all tables
    for (statement,) in copy.execute(
        "SELECT sql FROM live.sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    ).fetchall():
        if statement is not None:  # an index that a table brings by itself has none
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
    # The kernel caches the file; this process does not have to.
    connection.execute("PRAGMA cache_size = -512")
    return connection


def _connect_to_read(path: str) -> sqlite3.Connection:
    """Open a store of the present version to read it: the file itself, or in memory a copy that is brought up to date."""
    if not _is_written(path):
        empty = _connect(":memory:")
        migrate(empty, path)
        return empty
    connection = _connect_as_it_lies(path)
    if version_of(connection) == VERSION:
        return connection
    copy = _connect(":memory:")
    with closing(connection):
        connection.backup(copy)
    migrate(copy, path)
    return copy


def _is_written(path: str) -> bool:
    """Return whether there is a store: neither a missing file nor the empty one of a process that is just making it."""
    if not os.path.exists(path):
        return False
    with closing(_connect_as_it_lies(path)) as connection:
        return version_of(connection) > 0


def _is_old(path: str) -> bool:
    with closing(_connect_as_it_lies(path)) as connection:
        return version_of(connection) != VERSION


def _connect_as_it_lies(path: str) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path), timeout=PATIENCE, isolation_level=None, uri=True)


def _uri(path: str) -> str:
    """Return how a database is opened that is only read; one in a folder that cannot be written is read as it lies there.

    A WAL database needs a writable folder even to be read, unless nobody can change it:
    https://sqlite.org/wal.html#readonly.
    """
    is_alive = os.access(os.path.dirname(path), os.W_OK) or os.path.exists(path + "-wal")
    return f"{as_uri(path)}?mode=rw" if is_alive else f"{as_uri(path)}?immutable=1"
