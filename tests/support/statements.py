"""The SQL of the store: the statements in the source of its modules, and the statements that ran."""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner import store

_STORE = Path(store.__file__).parent
#: The modules that differ between databases (docs/decisions/0020-sessions-by-intent.md), the one for old SQLite stores
#: (`version_1`), and the one with the query of an idle tick, which opens the file directly.
_EXCLUDED = {"__init__", "database", "session", "migrate", "errors", "version_1", "idle"}
_MODULES = {
    str(path): ast.parse(path.read_text()) for path in sorted(_STORE.glob("*.py")) if path.stem not in _EXCLUDED
}
#: The methods of a session that run a statement.
_METHODS = {"ask", "one", "value", "change", "change_many", "add"}
_SQL = re.compile(
    r"\?|\b(SELECT|FROM|JOIN|WHERE|AND|OR|NOT|IN|EXISTS|CASE|ORDER|GROUP|LIMIT|INSERT|VALUES|UPDATE|SET|DELETE|WITH)\b"
)

#: A module and the number of a line in it.
Line = tuple[str, int]


@dataclass(frozen=True)
class Asked:
    """A statement that was run: its line in the store, its values, and the rows that SQLite returned for a query."""

    line: Line | None
    sql: str
    values: tuple[object, ...]
    answer: list[tuple[Any, ...]]


class Noting(sqlite3.Connection):
    """A connection that records the statements that it runs."""

    def __init__(self, path: str) -> None:
        super().__init__(path, isolation_level=None)
        self.asked: list[Asked] = []

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> sqlite3.Cursor:  # type: ignore[override] # positional values
        """Run a statement and record it; return its cursor."""
        is_query = sql.split(maxsplit=1)[0] == "SELECT"
        answer = super().execute(sql, values).fetchall() if is_query else []
        self.asked.append(Asked(_line(), sql, tuple(values), answer))
        return super().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:  # type: ignore[override] # likewise
        """Run a statement for each row of values and record each; return the cursor."""
        given = [tuple(row) for row in rows]
        self.asked += [Asked(_line(), sql, row, []) for row in given]
        return super().executemany(sql, given)


def _line() -> Line | None:
    """Return the line of the store that called the session, or None if the test called it."""
    frame = sys._getframe()  # noqa: SLF001 - the documented way to the callers of a function
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename in _MODULES:
            return frame.f_code.co_filename, frame.f_lineno
    return None


def calls_not_made(asked: Iterable[Asked]) -> list[Line]:
    """Return the lines of the store that call a session, but from which no recorded statement came."""
    made = {it.line for it in asked}
    return [
        (path, node.lineno)
        for path, module in _MODULES.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
        if not made & {(path, line) for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    ]


def texts_not_used(asked: Iterable[Asked]) -> list[tuple[Line, str]]:
    """Return the pieces of SQL in the source of the store that no recorded statement contains."""
    used = "\n".join({it.sql for it in asked if it.line})
    return [(line, text) for line, text in _texts() if _SQL.search(text) and text not in used]


def _texts() -> Iterator[tuple[Line, str]]:
    for path, module in _MODULES.items():
        docstrings = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield (path, node.lineno), node.value
