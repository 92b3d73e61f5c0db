"""The SQL of the store: what its modules have in their source, and what they run."""

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
#: Where what differs between databases stands (docs/decisions/0020-sessions-by-intent.md), what only SQLite's past needs
#: (`version_1`), and the one question of an idle tick, which is asked of a file.
_APART = {"__init__", "database", "session", "migrate", "errors", "version_1", "idle"}
_MODULES = {str(path): ast.parse(path.read_text()) for path in sorted(_STORE.glob("*.py")) if path.stem not in _APART}
#: The methods of a session that take a statement to the database.
_METHODS = {"ask", "one", "value", "change", "change_many", "add"}
_SQL = re.compile(
    r"\?|\b(SELECT|FROM|JOIN|WHERE|AND|OR|NOT|IN|EXISTS|CASE|ORDER|GROUP|LIMIT|INSERT|VALUES|UPDATE|SET|DELETE|WITH)\b"
)

#: A module and a line of it.
Line = tuple[str, int]


@dataclass(frozen=True)
class Asked:
    """A statement that was run: from where, with which values, and what SQLite has answered where it is a question."""

    line: Line | None
    sql: str
    values: tuple[object, ...]
    answer: list[tuple[Any, ...]]


class Noting(sqlite3.Connection):
    """A connection that keeps what is run on it."""

    def __init__(self, path: str) -> None:
        super().__init__(path, isolation_level=None)
        self.asked: list[Asked] = []

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> sqlite3.Cursor:  # type: ignore[override] # values by place
        """Run a statement, and keep it."""
        is_question = sql.split(maxsplit=1)[0] == "SELECT"
        answer = super().execute(sql, values).fetchall() if is_question else []
        self.asked.append(Asked(_line(), sql, tuple(values), answer))
        return super().execute(sql, values)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> sqlite3.Cursor:  # type: ignore[override] # likewise
        """Run a statement for each row of values, and keep each."""
        given = [tuple(row) for row in rows]
        self.asked += [Asked(_line(), sql, row, []) for row in given]
        return super().executemany(sql, given)


def _line() -> Line | None:
    """Return which line of the store has called a session; None where the test has."""
    frame = sys._getframe()  # noqa: SLF001 - the documented way to the callers of a function
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename in _MODULES:
            return frame.f_code.co_filename, frame.f_lineno
    return None


def calls_not_made(asked: Iterable[Asked]) -> list[Line]:
    """Return where modules of the store call a session, and none of what was asked came from there."""
    made = {it.line for it in asked}
    return [
        (path, node.lineno)
        for path, module in _MODULES.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS
        if not made & {(path, line) for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    ]


def texts_not_used(asked: Iterable[Asked]) -> list[tuple[Line, str]]:
    """Return the pieces of SQL in the source of the store that stand in nothing of what was asked."""
    used = "\n".join({it.sql for it in asked if it.line})
    return [(line, text) for line, text in _texts() if _SQL.search(text) and text not in used]


def _texts() -> Iterator[tuple[Line, str]]:
    for path, module in _MODULES.items():
        docstrings = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield (path, node.lineno), node.value
