"""The one place that reads the clock."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner import clock

_PACKAGE = Path(clock.__file__).parent


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 3, 29, 1, tzinfo=UTC), "2026-03-29T01:00:00Z"),
        (datetime(2026, 3, 29, 1, 2, 3, 4_999, tzinfo=UTC), "2026-03-29T01:02:03.004Z"),
    ],
)
def test_instants_are_written_in_utc(moment: datetime, text: str) -> None:
    assert clock.iso(moment) == text


def test_milliseconds_keep_an_instant_to_the_millisecond() -> None:
    moment = datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)

    assert clock.to_millis(moment) == -1
    assert clock.from_millis(-1) == moment
    assert clock.now() - datetime.now(UTC) < timedelta(seconds=60)


def test_nothing_else_in_the_package_reads_the_clock() -> None:
    readers = {"now", "utcnow", "today", "time_ns", "localtime", "gmtime"}
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in {"datetime", "date", "time"} and node.func.attr in readers:
                assert path.name == "clock.py", f"{path}:{node.lineno}"


def test_only_the_command_line_prints_and_only_main_exits() -> None:
    for path in _PACKAGE.rglob("*.py"):
        below = path.relative_to(_PACKAGE).as_posix()
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                assert below.startswith("cli/") or below == "execution/child/child.py", below
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "exit"
                and isinstance(node.value, ast.Name)
                and node.value.id == "sys"
            ):
                assert below == "cli/main.py", below
