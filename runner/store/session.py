"""Sessions: `Reading` may query the store, `Deciding` may also change it.

Their SQL is limited to what both SQLite and PostgreSQL accept.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    Row = tuple[Any, ...]


class Reading:
    """A session that queries. It takes no write lock, so writers do not wait, and it does not see what they write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def query(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of a query. Raises sqlite3.Error, which the function that opened the session converts."""
        return self._connection.execute(sql, values)

    def one(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """Return the first row of a query, or None where there is no row."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Return the first column of the first row of a query, or None where there is no row."""
        row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]


class Deciding(Reading):
    """A session that also changes the store or, in a dry run, a copy of it in memory."""

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement that changes rows; return the number of changed rows."""
        return self._connection.execute(sql, values).rowcount

    def change_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each sequence of values."""
        self._connection.executemany(sql, rows)

    def add(self, table: str, columns: dict[str, object]) -> int:
        """Add a row to a table that numbers its rows in a column `id` or `key`; return the number of the row."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        # Table and columns are constants of this package; the values are bound.
        cursor = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
        return int(cursor.lastrowid or 0)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Hold the write lock; commit at the end, roll back on any exception.

        A transaction inside another one is a part of it.

        A durable transaction is on the disk when the context ends. One that is not durable is on the disk after the
        next checkpoint; until then, a power loss may undo it as a whole
        (https://sqlite.org/pragma.html#pragma_synchronous).
        """
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # Has no effect where SQLite has rolled back already, as it does after some errors
            # (https://sqlite.org/lang_transaction.html).
            self._connection.rollback()
            raise
        self._connection.execute("COMMIT")
