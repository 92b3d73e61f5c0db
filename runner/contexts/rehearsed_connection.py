"""A connection of Django whose transactions are savepoints of one outer transaction, which is rolled back at the end.

So code meets the same behaviour as in a run that counts: `atomic(durable=True)` works, and an error that it catches
outside of a transaction undoes that one statement only. What the code commits is visible to it, and to nobody else.
The methods that are replaced are those with which Django's backends begin and end a transaction
(`BaseDatabaseWrapper`, Django 4.2 to 6.1).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

_NAME = "runner_rehearsal"
_ENDS = re.compile(
    r"\s*(COMMIT|END|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b)|BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE
)
_DEFINES = re.compile(r"\s*(CREATE|ALTER|DROP|TRUNCATE|RENAME)\b", re.IGNORECASE)
_WRITES = re.compile(
    r"\s*(INSERT|REPLACE|UPDATE|DELETE)\s+(?:OR\s+\w+\s+|LOW_PRIORITY\s+|IGNORE\s+|INTO\s+|FROM\s+|ONLY\s+)*([^\s(]+)",
    re.IGNORECASE,
)
KINDS = {"INSERT": "created", "REPLACE": "created", "UPDATE": "changed", "DELETE": "deleted"}


class RehearsedConnection:
    """One connection, from `begin` to `end`. `counts` has for each table how many rows were created, changed, deleted.

    `fail` is called with what the code does that cannot be rolled back; it raises an exception.
    """

    def __init__(self, connection: Any, fail: Any) -> None:
        self.connection = connection
        self.counts: dict[str, dict[str, int]] = {}
        #: The functions that would have been called on commit, in their order.
        self.hooks: list[Any] = []
        self._fail = fail
        #: Whether the code, and not this object, sends the next statement.
        self._is_counting = False
        #: Whether the code is in a transaction, for which a savepoint stands; whether its next statement begins one.
        self._has_savepoint = False
        self._wants_savepoint = False
        #: What an unfinished statement of SQLite changes: table, kind, and the number of changes before it.
        self._pending: tuple[str, str, int] | None = None
        #: The driver's connection; None before `begin`.
        self.handle: Any = None

    def begin(self, *, locks: bool) -> None:
        """Begin the outer transaction, and replace the methods of the connection, which is open.

        With `locks`, a transaction of SQLite takes the write lock at once.
        """
        connection = self.connection
        self.handle = connection.connection
        if connection.vendor == "sqlite":
            # A transaction that first reads cannot write after another one has written (SQLite, "Transactions", 2.2).
            first = "BEGIN IMMEDIATE" if locks else "BEGIN"
        else:
            connection._set_autocommit(False)  # noqa: SLF001, FBT003
            # PostgreSQL's driver begins a transaction with the first statement.
            first = f"SELECT 1{connection.features.bare_select_suffix}"
        with self._cursor() as cursor:
            cursor.execute(first)
        connection._set_autocommit = self._set_autocommit  # noqa: SLF001
        connection._start_transaction_under_autocommit = self._begin_savepoint  # noqa: SLF001
        connection._commit = self._commit  # noqa: SLF001
        connection._rollback = self._roll_back  # noqa: SLF001
        connection.run_and_clear_commit_hooks = self._keep_hooks
        self._on_commit, connection.on_commit = connection.on_commit, self._note_hook
        connection.close = lambda: None  # the code may close it: then a run that counts opens another one
        connection.execute_wrappers.append(self._execute)
        self._wants_savepoint = not connection.autocommit
        self._is_counting = True

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - as Django calls it
        """Begin a transaction of the code, or end its last one: without autocommit, one follows another."""
        if not autocommit:
            self._begin_savepoint()
            return
        self._commit()
        self._wants_savepoint = False

    def _begin_savepoint(self) -> None:
        self._send("savepoint_create_sql")
        self._has_savepoint, self._wants_savepoint = True, False

    def _commit(self) -> None:
        if self._has_savepoint:
            self._send("savepoint_commit_sql")
        self._end_savepoint()

    def _roll_back(self) -> None:
        if self._has_savepoint:
            self._roll_back_to_savepoint()
        self._end_savepoint()

    def _end_savepoint(self) -> None:
        self._has_savepoint, self._wants_savepoint = False, not self.connection.autocommit

    def _roll_back_to_savepoint(self) -> None:
        self._send("savepoint_rollback_sql")
        self._send("savepoint_commit_sql")

    def _send(self, operation: str) -> None:
        """Send a statement about the savepoint that stands for a transaction of the code."""
        counts, self._is_counting = self._is_counting, False
        try:
            with self._cursor() as cursor:
                cursor.execute(getattr(self.connection.ops, operation)(_NAME))
        finally:
            self._is_counting = counts

    def _cursor(self) -> Any:
        """Return a cursor of the connection, without the checks of Django, which refuses some between transactions."""
        return self.connection._cursor()  # noqa: SLF001

    def _keep_hooks(self) -> None:
        self.hooks += [hook[1] for hook in self.connection.run_on_commit]
        self.connection.run_on_commit = []

    def _note_hook(self, func: Any, robust: bool = False) -> None:  # noqa: FBT001, FBT002 - as Django calls it
        if self.connection.in_atomic_block:
            self._on_commit(func, robust)
        else:
            self.hooks.append(func)

    def _execute(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        """Send a statement of the code: count what it changes, and refuse what would end the outer transaction."""
        if not self._is_counting:
            return execute(sql, params, many, context)
        text = str(sql)
        connection = self.connection
        if _ENDS.match(text):
            self._fail(f"the statement {text.split(maxsplit=1)[0].upper()} ends the transaction")
        if _DEFINES.match(text) and not connection.features.can_rollback_ddl:
            self._fail(f"{connection.display_name} commits at the statement {text.split(maxsplit=1)[0].upper()}")
        self._settle()
        if self._wants_savepoint:
            self._begin_savepoint()
        found = _WRITES.match(text)
        before = self._changes_so_far()
        result = self._in_savepoint(execute, sql, params, many, context)
        if found is not None:
            table = found.group(2).rpartition(".")[2].strip('"`[]')
            kind = KINDS[found.group(1).upper()]
            if before is None:
                self._count(table, kind, max(0, context["cursor"].rowcount))
            else:
                self._pending = (table, kind, before)
        return result

    def _in_savepoint(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001
        """Send a statement; outside of a transaction of the code, an error undoes that statement alone."""
        if self._has_savepoint or (not _WRITES.match(str(sql)) and self.connection.vendor == "sqlite"):
            return execute(sql, params, many, context)
        self._send("savepoint_create_sql")
        try:
            result = execute(sql, params, many, context)
        except Exception:
            with suppress(Exception):
                self._roll_back_to_savepoint()
            raise
        if self.connection.vendor != "sqlite":  # there, rows that are not read yet keep the savepoint
            self._send("savepoint_commit_sql")
        return result

    def _settle(self) -> None:
        """Count what the last statement has changed. SQLite knows it once all rows of a RETURNING clause are read."""
        pending, self._pending = self._pending, None
        if pending is not None:
            table, kind, before = pending
            self._count(table, kind, (self._changes_so_far() or before) - before)

    def _changes_so_far(self) -> int | None:
        """Return how many rows SQLite has changed; None for other databases, whose cursors know it."""
        return int(self.handle.total_changes) if self.connection.vendor == "sqlite" else None

    def _count(self, table: str, kind: str, rows: int) -> None:
        counts = self.counts.setdefault(table, {})
        counts[kind] = counts.get(kind, 0) + rows

    def end(self) -> bool:
        """Roll everything back; return whether the outer transaction was still there."""
        self._settle()
        self.hooks += [hook[1] for hook in self.connection.run_on_commit]
        self.connection.execute_wrappers.remove(self._execute)
        is_there = self._is_in_transaction()
        with suppress(Exception):
            self.handle.rollback()
        with suppress(Exception):
            self.handle.close()
        return is_there

    def _is_in_transaction(self) -> bool:
        """Return whether the driver says that a transaction is open. MySQL's drivers do not say it."""
        if self.connection.vendor == "sqlite":
            return bool(self.handle.in_transaction)
        info = getattr(self.handle, "info", None)
        status = getattr(info, "transaction_status", None)  # PostgreSQL: 0 is idle
        return status is None or int(status) != 0
