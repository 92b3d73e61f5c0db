"""Sessions: what may be asked of the store, and what may be changed.

SQL that SQLite and PostgreSQL both read goes through them.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    Row = tuple[Any, ...]


class Reading:
    """A session that asks. It never takes the write lock: whoever writes meanwhile does not wait, and is not seen."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def ask(self, sql: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of an answer. Raises sqlite3.Error, which whoever opens the session explains."""
        return self._connection.execute(sql, values)

    def one(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        """Return the first row of an answer, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Return the first column of the first row, or None where there is no row."""
        row = self._connection.execute(sql, values).fetchone()
        return None if row is None else row[0]


class Deciding(Reading):
    """A session that also changes: the store itself, or in a dry run a copy of it in memory."""

    def change(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement that changes rows; return how many it has changed."""
        return self._connection.execute(sql, values).rowcount

    def change_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each row of values."""
        self._connection.executemany(sql, rows)

    def add(self, table: str, columns: dict[str, object]) -> int:
        """Add a row to a table that numbers its rows in a column `id` or `key`; return that number."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        # The names are ours; the values are bound.
        cursor = self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(columns.values()))  # noqa: S608
        return int(cursor.lastrowid or 0)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """Hold the write lock; commit at the end, roll back on any exception.

        Inside of another one it is a part of that.

        A durable transaction is on the disk when this returns; another one is on it after the next checkpoint, and a
        power loss may take it back as a whole (https://sqlite.org/pragma.html#pragma_synchronous).
        """
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # Does nothing where SQLite has rolled back already, as after some errors
            # (https://sqlite.org/lang_transaction.html).
            self._connection.rollback()
            raise
        self._connection.execute("COMMIT")
