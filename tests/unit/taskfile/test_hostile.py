"""Task files of an attacker, or by accident: each soon ends in a task or in problems, and nothing is executed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.model.catalog import CompiledFile
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.taskfile.compiler import compile_settings, compile_task

_MEBIBYTE = 1024 * 1024
_HEAD = "active: true\nfrequency: 1\nunit: days\n"
_CODE = "code: |\n  print('done')\n"
_EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

#: Seconds of CPU time that no file may take: far more than any needs, far less than a hang.
_GENEROUS = 6.0


def _compile(content: str | bytes) -> CompiledFile:
    """Compile a task file, and hold what comes out against everything that is promised of it."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    before = time.process_time()
    compiled = compile_task("tasks/a.yaml", data, Settings())
    assert time.process_time() - before < _GENEROUS
    _check(compiled.problems)
    assert (compiled.task is None) == bool(compiled.problems)
    return compiled


def _check(problems: tuple[Problem, ...]) -> None:
    assert list(problems) == sorted(problems, key=Problem.order)
    assert len(problems) <= 101
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.code
        assert problem.message


def _settle(content: str | bytes) -> None:
    """Compile the same as a settings file, and hold what comes out against what is promised of it."""
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    before = time.process_time()
    settings, problems = compile_settings(data)
    assert time.process_time() - before < _GENEROUS
    _check(problems)
    assert (settings is None) == bool(problems)


def _codes(content: str | bytes) -> set[str]:
    return {problem.code for problem in _compile(content).problems}


def _code(python: str) -> str:
    return _HEAD + "code: |\n" + "".join(f"  {line}\n" for line in python.split("\n"))


def _nested(depth: int) -> str:
    return "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, depth)
    )


_HOSTILE: dict[str, tuple[str | bytes, set[str]]] = {
    # aliases, anchors, merge keys
    "billion laughs": (_nested(10), {"yaml-alias"}),
    "an alias to itself": ("a: &a [*a]\n", {"yaml-alias"}),
    "an anchor that nobody uses": (_HEAD + "owner: &a x\n" + _CODE, {"yaml-alias"}),
    "an alias for a key": (_HEAD + "*a : x\n" + _CODE, {"yaml-alias"}),
    "an anchored key": (_HEAD + "&a owner: x\n" + _CODE, {"yaml-alias"}),
    "an anchored root": ("&a\n" + _HEAD + _CODE, {"yaml-alias"}),
    "a merge key": (_HEAD + "<<: {owner: x}\n" + _CODE, {"unknown-key"}),
    "a merge key for code": ("<<: {active: true}\nfrequency: 1\nunit: days\n" + _CODE, {"unknown-key", "missing-key"}),
    # tags
    "a Python object": ("!!python/object/apply:os.system ['touch executed']\n", {"yaml-tag"}),
    "a Python object for a value": (
        _HEAD + "owner: !!python/object/apply:os.mkdir [executed]\n" + _CODE,
        {"yaml-tag"},
    ),
    "a Python name": (_HEAD + "owner: !!python/name:os.system\n" + _CODE, {"yaml-tag"}),
    "a Python object for a key": ("!!python/object/new:os.mkdir [executed]: x\n", {"yaml-tag"}),
    "tagged code": (_HEAD + "code: !!str |\n  print()\n", {"yaml-tag"}),
    "a tag of ours": (_HEAD + "owner: !secret x\n" + _CODE, {"yaml-tag"}),
    "the tag of no tag": (_HEAD + "owner: ! x\n" + _CODE, {"yaml-tag"}),
    "binary": (_HEAD + "owner: !!binary aGFsbG8=\n" + _CODE, {"yaml-tag"}),
    "a set": ("!!set {a, b}\n", {"yaml-tag"}),
    "a tag by a directive": ("%TAG ! tag:yaml.org,2002:python/\n---\n!name:os.system x\n", {"yaml-tag"}),
    "an unknown tag handle": (_HEAD + "owner: !x!y z\n" + _CODE, {"yaml"}),
    # directives and documents
    "YAML 1.1 by a directive": ("%YAML 1.1\n---\nactive: yes\nfrequency: 1\nunit: days\n" + _CODE, {"type"}),
    "YAML 9 by a directive": ("%YAML 9.9\n---\n" + _HEAD + _CODE, {"yaml"}),
    "YAML with too many digits": ("%YAML 1." + "1" * 1000 + "\n---\n" + _HEAD + _CODE, {"yaml"}),
    "two YAML directives": ("%YAML 1.1\n%YAML 1.1\n---\n" + _HEAD + _CODE, {"yaml"}),
    "an unknown directive": ("%RUN x\n---\n" + _HEAD + _CODE, {"yaml"}),
    "a directive without a document": ("%YAML 1.1\n", {"yaml"}),
    "two documents": (_HEAD + _CODE + "---\n" + _HEAD + _CODE, {"yaml-documents"}),
    "a hundred thousand documents": ("---\n" * 100_000, {"yaml-documents"}),
    "an empty second document": (_HEAD + _CODE + "---\n", {"yaml-documents"}),
    # depth
    "half a million [": ("[" * 500_000, {"yaml-depth"}),
    "half a million {": ("{" * 500_000, {"yaml-key"}),
    "half a million - in a line": ("- " * 500_000, {"yaml-depth"}),
    "half a million ? in a line": ("? " * 500_000, {"yaml-key"}),
    "a staircase of -": ("".join(" " * step + "-\n" for step in range(1000)), {"yaml-depth"}),
    "a staircase of keys": ("".join(" " * step + "a:\n" for step in range(1000)), {"yaml-depth"}),
    "mappings in flow": ("{a: " * 100_000, {"yaml-depth"}),
    "lists below a key": ("tags: " + "[" * 300_000 + "]" * 300_000 + "\n", {"yaml-depth"}),
    # keys
    "an empty key": (": x\n" + _HEAD + _CODE, {"yaml"}),
    "an empty quoted key": ('"": x\n' + _HEAD + _CODE, {"unknown-key"}),
    "a list for a key": ("? [a]\n: x\n", {"yaml-key"}),
    "a mapping for a key": ("? {a: b}\n: x\n", {"yaml-key"}),
    "a NUL in a quoted key": ('"active\\0": true\n' + _HEAD + _CODE, {"unknown-key"}),
    "NULs in values": (
        _HEAD + 'timezone: "\\0"\nstart: "\\0"\ntimeout: "\\0"\n' + _CODE,
        {"start", "timezone", "value"},
    ),
    "a NUL in a cron expression": ('active: true\ncron: "0 8 * * \\0"\n' + _CODE, {"cron"}),
    "a lone surrogate in a quoted key": ('"\\ud800": x\n' + _HEAD + _CODE, {"yaml"}),
    "a pair of surrogates": (_HEAD + 'owner: "\\ud83d\\ude00"\n' + _CODE, {"yaml"}),
    "an escape beyond Unicode": (_HEAD + 'owner: "\\UFFFFFFFF"\n' + _CODE, {"yaml"}),
    "an unfinished escape": (_HEAD + 'owner: "\\u12"\n' + _CODE, {"yaml"}),
    "an unknown escape": (_HEAD + 'owner: "\\q"\n' + _CODE, {"yaml"}),
    "a key of a megabyte": ("k" * 1_000_000 + ": x\n", {"yaml"}),
    "an explicit key of a megabyte": ("? " + "k" * 1_000_000 + "\n: x\n", {"missing-key", "schedule", "unknown-key"}),
    "the same key twice": ("active: true\n" + _HEAD + _CODE, {"yaml-duplicate"}),
    "the same key quoted": ('"active": true\n' + _HEAD + _CODE, {"yaml-duplicate"}),
    "code twice": (_HEAD + _CODE + _CODE, {"yaml-duplicate"}),
    # numbers
    "ten thousand digits": ("active: true\nfrequency: " + "9" * 10_000 + "\nunit: days\n" + _CODE, {"type"}),
    "ten thousand hexadecimal digits": (
        "active: true\nfrequency: 0x" + "f" * 10_000 + "\nunit: days\n" + _CODE,
        {"type"},
    ),
    "forty digits": ("active: true\nfrequency: " + "9" * 40 + "\nunit: days\n" + _CODE, {"value"}),
    "a sexagesimal number": ("active: true\nfrequency: 12:30:45\nunit: days\n" + _CODE, {"type"}),
    "infinity": ("active: true\nfrequency: .inf\nunit: days\n" + _CODE, {"type", "value"}),
    "not a number": ("active: true\nfrequency: .nan\nunit: days\n" + _CODE, {"type"}),
    "an exponent": ("active: true\nfrequency: 1e999999999\nunit: days\n" + _CODE, {"type", "value"}),
    # bytes and characters
    "a NUL": (b"active: true\0\n", {"character"}),
    "only NULs": (b"\0" * 1000, {"character"}),
    "UTF-16": ((_HEAD + _CODE).encode("utf-16"), {"encoding"}),
    "UTF-16 without a mark": ((_HEAD + _CODE).encode("utf-16-le"), {"character"}),
    "UTF-32": ((_HEAD + _CODE).encode("utf-32"), {"encoding"}),
    "UTF-7": (_HEAD + "owner: +AOk-\n" + _CODE, set()),
    "Latin-1": ((_HEAD + "owner: Zoé\n").encode("latin-1"), {"encoding"}),
    "overlong UTF-8": (b"owner: \xc0\xaf\n", {"encoding"}),
    "surrogates in UTF-8": (b"owner: \xed\xa0\x80\n", {"encoding"}),
    "beyond Unicode": (b"owner: \xf4\x90\x80\x80\n", {"encoding"}),
    "a character cut off": (b"owner: \xe2\x82", {"encoding"}),
    "a byte order mark": (b"\xef\xbb\xbf" + (_HEAD + _CODE).encode(), {"encoding"}),
    "a byte order mark inside": (_HEAD + "owner: \ufeffx\n" + _CODE, {"character"}),
    "Windows line ends": ((_HEAD + _CODE).replace("\n", "\r\n"), {"line-ends"}),
    "old Macintosh line ends": ((_HEAD + _CODE).replace("\n", "\r"), {"line-ends"}),
    "a line separator": (_HEAD + "owner: a\u2028b\n" + _CODE, {"character"}),
    "a paragraph separator": (_HEAD + "owner: a\u2029b\n" + _CODE, {"character"}),
    "a next line": (_HEAD + "owner: a\u0085b\n" + _CODE, {"character"}),
    "a line separator in code": (_code("x = 'a\u2028b'"), {"character"}),
    "a form feed in code": (_code("x = 1\n\x0cy = 2"), {"character"}),
    "an escape sequence": (_HEAD + "owner: \x1b[31mred\n" + _CODE, {"character"}),
    "a delete": (_HEAD + "owner: \x7f\n" + _CODE, {"character"}),
    "a noncharacter": (_HEAD + "owner: \uffff\n" + _CODE, {"character"}),
    "text that runs to the left": (_HEAD + "owner: \u202eolleh\n" + _CODE, set()),
    # size
    "a mebibyte exactly": (("#" * (_MEBIBYTE - len(_HEAD + _CODE) - 1)) + "\n" + _HEAD + _CODE, set()),
    "a mebibyte and a byte": (("#" * (_MEBIBYTE - len(_HEAD + _CODE))) + "\n" + _HEAD + _CODE, {"file-size"}),
    "a scalar of ten megabytes": (_HEAD + "owner: " + "x" * 10_000_000 + "\n" + _CODE, {"file-size"}),
    "a long line of text": (_HEAD + "owner: " + "x" * 1_000_000 + "\n" + _CODE, {"value"}),
    "a long line of code": (_code("x = '" + "x" * 1_000_000 + "'"), set()),
    "a long line of comment": (_HEAD + _CODE + "#" + "x" * 1_000_000, set()),
    "a long line of spaces": (_HEAD + _CODE + " " * 1_000_000, set()),
    "a million blank lines": ("\n" * 1_000_000 + _HEAD + _CODE, set()),
    "a million blank lines of code": (_HEAD + "code: |\n" + "\n" * 1_000_000, {"value"}),
    "a folded text of many lines": (_HEAD + "owner: x" + "\n x" * 300_000 + "\n" + _CODE, {"value"}),
    "many flow words": ("tags: [" + "a " * 100_000 + "]\n", {"missing-key", "schedule", "value"}),
    # unfinished
    "an unterminated double quote": (_HEAD + 'owner: "x\n' + "x\n" * 100_000, {"yaml"}),
    "an unterminated single quote": (_HEAD + "owner: 'x" + "\n" * 500_000, {"yaml"}),
    "an unterminated list": (_HEAD + "tags: [" + "a, " * 300, {"yaml"}),
    "an unterminated mapping": ("{a: b", {"yaml"}),
    "an unterminated block": (_HEAD + "code: |", {"value"}),
    "a block of nothing said": (_HEAD + "code: |0\n  x\n", {"yaml"}),
    "a block said too deep": (_HEAD + "code: |9\n  x\n", {"yaml"}),
    "a block with two signs": (_HEAD + "code: |++\n  x\n", {"yaml"}),
    "tabs for indentation": (_HEAD + "tags:\n\t- a\n" + _CODE, {"yaml"}),
    "a dash and nothing": ("-", {"structure"}),
    "a question mark and nothing": ("?", {"missing-key", "schedule", "unknown-key", "yaml-key"}),
    "a colon and nothing": (":", {"yaml"}),
    "a percent sign and nothing": ("%", {"yaml"}),
    "an end of a document and nothing": ("...", {"yaml"}),
    # schedules
    "cron of a thousand numbers": ("active: true\ncron: " + "0," * 490 + "0 8 * * *\n" + _CODE, set()),
    "cron with numbers of many digits": ("active: true\ncron: " + "9" * 900 + " 8 * * *\n" + _CODE, {"cron"}),
    "a day that never comes": ("active: true\nrrule: FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30\n" + _CODE, {"never"}),
    "a minute that never comes": ("active: true\nrrule: FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30\n" + _CODE, {"never"}),
    "ten thousand rare days": (
        "active: true\nrrule: FREQ=DAILY;COUNT=10000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO\n" + _CODE,
        set(),
    ),
    "ten thousand rare minutes": (
        "active: true\nrrule: FREQ=MINUTELY;COUNT=10000;INTERVAL=1441;BYHOUR=3\n" + _CODE,
        set(),
    ),
    "a path for a zone": (_HEAD + "timezone: /etc/passwd\n" + _CODE, {"timezone"}),
    "a path up for a zone": (_HEAD + "timezone: Europe/../../../../etc/passwd\n" + _CODE, {"timezone"}),
    "a folder for a zone": (_HEAD + "timezone: Europe\n" + _CODE, {"timezone"}),
    "a table for a zone": (_HEAD + "timezone: zone1970.tab\n" + _CODE, {"timezone"}),
    "the year 9999": (_HEAD + "start: 9999-12-31 23:59:59\nend: 9999-12-31 23:59:59\n" + _CODE, set()),
    # code that is hard to compile
    "deep parentheses": (_code("(" * 150 + "1" + ")" * 150), set()),
    "deeper parentheses": (_code("(" * 500_000), {"python"}),
    "a chain of minus signs": (_code("-" * 1_000_000 + "1"), {"python"}),
    "a chain of not": (_code("not " * 200_000 + "1"), {"python"}),
    "a chain of sums": (_code("+".join(["x"] * 100_000)), {"python"}),
    "a chain of attributes": (_code("x" + ".x" * 100_000), {"python"}),
    "a chain of calls": (_code("x" + "()" * 100_000), {"python"}),
    "a chain of powers": (_code("**".join(["x"] * 150_000)), {"python"}),
    "a chain of elif": (_code("if x: pass\n" + "\n".join(["elif x: pass"] * 60_000)), {"python"}),
    "a chain of lambdas": (_code("lambda:" * 100_000 + "1"), {"python"}),
    "a chain of conditions": (_code("1 if x else " * 80_000 + "1"), {"python"}),
    "a staircase of blocks": (_code("\n".join(" " * step + "if x:" for step in range(900))), {"python"}),
    "a staircase of loops": (
        _code("\n".join(" " * step + "for x in y:" for step in range(30)) + "\n" + " " * 30 + "x"),
        {"python"},
    ),
    "a hundred thousand lines": (_code("\n".join(["x = 1"] * 100_000)), set()),
    "forty thousand names": (_code("\n".join(f"n{number}=1" for number in range(40_000))), set()),
    "a number of many digits": (_code("x = " + "1" * 500_000), {"python"}),
    "a number of many hexadecimal digits": (_code("x = 0x" + "f" * 1_000_000), set()),
    "a power that nobody can hold": (_code("x = 9 ** 9 ** 9 ** 9\ny = 1 << 9999999999\nz = 'a' * 9999999999"), set()),
    "a repeated tuple": (_code("x = ((((1,) * 255,) * 255,) * 255,) * 255"), set()),
    "a long format": (_code("x = '%999999999d' % 1"), set()),
    "unfinished format strings": (_code("f'{" * 100 + "x"), {"python"}),
    "a coding cookie": (_code("# -*- coding: utf-7 -*-\nx = '+AOk-'"), set()),
    "an unknown coding cookie": (_code("# -*- coding: no-such-thing -*-\nx = 1"), set()),
    "backslashes": (_code("\\\n" * 200_000 + "x"), set()),
    "a backslash at the end": (_code("x = 1\\"), {"python"}),
    "an assertion that is always true": (_code("assert (1, 'warned of')\nx = '\\d'\nx is 1"), set()),
    "a future that there is not": (_code("from __future__ import braces"), {"python"}),
    "await at the top": (_code("await x"), {"python"}),
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_file_ends_in_problems_of_these_kinds_and_never_in_an_exception(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, codes = _HOSTILE[name]
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir(tmp_path))

    assert _codes(content) == codes
    _settle(content)
    assert set(os.listdir(tmp_path)) == before


def test_code_is_compiled_and_never_run(tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    compiled = _compile(_code(f"open({str(marker)!r}, 'w')\n@print\ndef f(x=print('executed')): pass"))

    assert compiled.task is not None
    assert not marker.exists()


def test_problems_beyond_a_hundred_are_counted() -> None:
    problems = _compile("".join(f"key{number}: x\n" for number in range(300)) + _HEAD + _CODE).problems

    assert len(problems) == 101
    assert problems[-1].message == "and 200 more problems"


def test_one_problem_beyond_a_hundred_is_counted_in_the_singular() -> None:
    problems = _compile("".join(f"key{number}: x\n" for number in range(101)) + _HEAD + _CODE).problems

    assert problems[-1].message == "and 1 more problem"


# What is broken today: each stays until it is mended; `strict` tells when it is.


def test_what_is_said_of_a_file_never_depends_on_the_files_before_it() -> None:
    whole = f"active: true\nfrequency: 777\nunit: hours\n{_CODE}"
    fraction = whole.replace("777", "777.0")
    first_fraction = _codes(fraction)
    after_fraction = _codes(whole)

    assert after_fraction == set()
    assert _codes(fraction) == first_fraction


def test_a_frequency_is_an_integer_or_a_problem() -> None:
    whole = f"active: true\nfrequency: 778\nunit: hours\n{_CODE}"
    assert _codes(whole) == set()

    task = _compile(whole.replace("778", "778.0")).task
    assert task is None or type(task.schedule.frequency) is int


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Honolulu"])
def test_an_end_of_time_west_of_greenwich_is_a_task_or_a_problem(zone: str) -> None:
    _compile(f"{_HEAD}timezone: {zone}\nend: 9999-12-31\n{_CODE}")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MONTHLY;COUNT=100",
        "FREQ=DAILY;COUNT=500",
        "FREQ=YEARLY;COUNT=3",
    ],
)
def test_a_counted_rule_at_the_end_of_time_is_a_task_or_a_problem(rule: str) -> None:
    _compile(f"active: true\nrrule: {rule}\nstart: 9999-06-01\n{_CODE}")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;COUNT=3;INTERVAL=00000000199999999999",
        "FREQ=DAILY;COUNT=3;BYHOUR=00000000199",
        "FREQ=WEEKLY;COUNT=3;INTERVAL=00000000199999999999",
    ],
)
def test_a_part_of_a_rule_with_leading_zeros_is_within_its_limits_or_a_problem(rule: str) -> None:
    assert _codes(f"active: true\nrrule: {rule}\n{_CODE}") == {"rrule"}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('tags: ["nightly\\n"]', id="tag, which is accepted"),
        pytest.param('timeout: "30m\\n"', id="timeout, which is said to be beyond a hundred years"),
    ],
)
def test_a_newline_behind_a_value_with_a_pattern_is_refused_for_what_it_is(line: str) -> None:
    assert _codes(f"{_HEAD}{line}\n{_CODE}") == {"value"}


def test_an_explicit_key_of_ten_thousand_digits_is_shown_where_it_stands() -> None:
    problems = _compile(f"{_HEAD}? {'1' * 10_000}\n: x\n{_CODE}").problems

    assert {(problem.line, problem.column) for problem in problems} == {(4, 3)}


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('"\\e[31mred\\n::error ::x": 1', id="key"),
        pytest.param("owner: !<%1b%0a> x", id="tag"),
        pytest.param("owner: !<tag:%0a::error%20::x> x", id="tag-newline"),
    ],
)
def test_a_message_is_one_line_without_anything_that_a_terminal_obeys(line: str) -> None:
    for problem in _compile(f"{_HEAD}{line}\n{_CODE}").problems:
        assert problem.message.isprintable()
        assert problem.hint.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("? " + "k" * 100_000 + "\n: x", id="unknown-key"),
        pytest.param("owner: !" + "t" * 100_000 + " x", id="tag"),
        pytest.param("owner: &" + "a" * 100_000 + " x", id="anchor"),
        pytest.param("start: " + "x" * 100_000, id="start"),
    ],
)
def test_a_message_stays_short_however_long_the_mistake_is(line: str) -> None:
    assert all(len(problem.message) < 500 for problem in _compile(f"{_HEAD}{line}\n{_CODE}").problems)


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "posix/Europe/Berlin", "right/Europe/Berlin"])
def test_a_zone_of_this_machine_only_is_not_an_iana_name(zone: str) -> None:
    assert _codes(f"{_HEAD}timezone: {zone}\n{_CODE}") == {"timezone"}


def test_the_hint_of_a_syntax_error_is_never_read_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.yaml").write_text("secret on the disk\n")
    monkeypatch.chdir(tmp_path)

    [problem] = _compile(_code("return 1")).problems
    assert "secret" not in problem.hint


def test_the_hint_of_a_syntax_error_is_the_line_itself() -> None:
    [problem] = _compile(_code("x = = 1")).problems

    assert problem.hint == "x = = 1"


# Hints for newcomers: what they write first, and what helps them.


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("active: yes\n", "write `true`: YAML 1.2 reads yes as text"),
        ("active: Off\n", "write `false`: YAML 1.2 reads Off as text"),
        ("timeout: 30\n", "add a unit, such as 30s or 30m"),
        ("descripton: x\n", "did you mean `description`?"),
        ("timezone: berlin\n", "did you mean `Europe/Berlin`?"),
        ("timezone: new york\n", "did you mean `America/New_York`?"),
        ("unit: Day\n", "did you mean `day`?"),
        ("start: 20260131\n", 'quote it: "20260131"'),
        ("cron: @daily\n", "quote text that begins with a sign such as @"),
        ("cron: 0 0 8 * * ?\n", "Debian's cron has no fields for seconds and years"),
        ("cron: 0 8 ? * *\n", "write * instead of ?"),
        ("code: print()\n", "write `code: |` and the Python below it, indented"),
        ("tags: a, b\n", 'for example ["report", "billing"]'),
    ],
)
def test_a_newcomers_mistake_is_met_with_a_hint_that_mends_it(text: str, hint: str) -> None:
    assert any(hint in problem.hint for problem in _compile(text).problems)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        pytest.param("cron: * * * * *\n", "quote", id="an unquoted star"),
        pytest.param("cron: */5 * * * *\n", "quote", id="an unquoted step"),
        pytest.param("tags: [2024]\n", "quote", id="a tag that reads as a number"),
        pytest.param('active: "true"\n', "quotes", id="a quoted boolean"),
        pytest.param("frequency: '15'\n", "quotes", id="a quoted number"),
        pytest.param("tags: [two words]\n", "letters", id="a tag with a space"),
        pytest.param("owner: " + "x" * 201 + "\n", "characters", id="an owner that is too long"),
        pytest.param("start: 1850-01-01\n", "1900", id="a start before 1900"),
        pytest.param("code: |\n\tprint()\n", "spaces", id="code indented with a tab"),
        pytest.param("code: |\n      \n\n  print()\n", "blank", id="spaces on the first blank line"),
    ],
)
def test_a_newcomers_mistake_is_met_with_words_that_mend_it(text: str, word: str) -> None:
    assert any(word in f"{problem.message} {problem.hint}" for problem in _compile(text).problems)


# What may take down the process or all of its time runs in one of its own, which the kernel stops.

_ALONE = """
import json, resource, signal, sys
from runner.model.settings import Settings
from runner.taskfile.compiler import compile_task
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
content = sys.stdin.buffer.read()
signal.setitimer(signal.ITIMER_PROF, float(sys.argv[1]))
compiled = compile_task("tasks/a.yaml", content, Settings())
print(json.dumps([problem.code for problem in compiled.problems]))
"""


def _alone(content: str, seconds: float) -> list[str]:
    """Compile in a process that is killed after so many seconds of CPU time; return the codes of the problems."""
    done = subprocess.run(
        [sys.executable, "-c", _ALONE, str(seconds)],
        input=content.encode(),
        cwd=Path(__file__).resolve().parents[3],
        check=False,
        capture_output=True,
    )
    assert done.returncode != -signal.SIGPROF, f"no answer within {seconds} s of CPU time"
    assert done.returncode == 0, done.stderr[-1000:]
    codes: list[str] = json.loads(done.stdout)
    return codes


def _unique(template: str, separator: str = "\n") -> str:
    """Return a text of nearly a mebibyte of the template, numbered."""
    count = 900_000 // (len(template) + 5 * template.count("#") + len(separator))
    return separator.join(template.replace("#", str(number)) for number in range(count))


_HANGS: dict[str, tuple[Callable[[], str], str]] = {
    "unknown keys": (lambda: _unique("k#:") + "\n", "the nearest key is looked for 100,000 times"),
    "duplicate keys": (lambda: "a:\n" * 300_000, "all findings are made, sorted and counted"),
    "a list of unlike values": (
        lambda: f"{_HEAD}tags: [{_unique('a#,#', ',')}]\n{_CODE}",
        "jsonschema's uniqueItems compares each with each, whatever maxItems says",
    ),
    "tag directives": (lambda: _unique("%TAG !#! a") + "\n---\n" + _HEAD + _CODE, "libyaml compares each with each"),
    "functions of one name": (
        lambda: _code("\n".join(["def f(): x"] * 10_000)),
        "compile() compares each code object with each: its cost grows with the square",
    ),
    "a comprehension of many loops": (
        lambda: _code("[x" + " for x in y" * 80_000 + "]"),
        "compile() overflows the C stack: the process dies",
    ),
    "a count with leading zeros": (
        lambda: f"active: true\nrrule: FREQ=MINUTELY;COUNT=0000000019999999\n{_CODE}",
        "only the first nine digits are held against the limit of 10,000",
    ),
}


@pytest.mark.parametrize("name", _HANGS)
def test_a_file_within_the_limit_is_answered_soon_and_never_takes_the_process_along(name: str) -> None:
    make, _ = _HANGS[name]

    _alone(make(), 1.0)


@pytest.mark.parametrize("name", _HANGS)
def test_a_file_that_takes_long_is_within_the_limit(name: str) -> None:
    make, _ = _HANGS[name]

    assert len(make()) <= _MEBIBYTE


def test_a_file_alone_is_answered() -> None:
    assert _alone(_HEAD + _CODE, 10) == []
    assert _alone("active: yes\n" + _CODE, 10) == ["schedule", "type"]


# Random bytes, and valid files with random changes.

_VALID = [path.read_bytes() for path in sorted((_EXAMPLES / "valid").rglob("*.yaml")) if path.stat().st_size < 2000]
_FRAGMENTS = [
    *(
        b"\n",
        b" ",
        b"  ",
        b"\t",
        b":",
        b": ",
        b"- ",
        b"? ",
        b"[",
        b"]",
        b"{",
        b"}",
        b",",
        b"#",
        b" #",
        b"|",
        b">",
        b"%",
    ),
    *(
        b"&a ",
        b"*a",
        b"!!str ",
        b"!x",
        b"'",
        b'"',
        b"\\",
        b'"\\0"',
        b'"\\ud800"',
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"<<: ",
    ),
    *(b"\0", b"\r", b"\xff", b"\xc3", b"\xe2\x80\xa8", b"\xef\xbb\xbf", "é".encode(), "😀".encode()),
    *(
        b"~",
        b"null",
        b"true",
        b"yes",
        b"-1",
        b".inf",
        b"0x1F",
        b"code: |\n",
        b"active: ",
        b"cron: ",
        b"rrule: ",
        b"start: ",
    ),
    *(
        b"end: ",
        b"timezone: ",
        b"timeout: ",
        b"tags: ",
        b"unit: ",
        b"frequency: ",
        b"@daily",
        b"* * * * *",
        b"FREQ=DAILY",
    ),
    *(b"if x", b"):", b"return", b"'''", b"  x = (", b"await ", b"def f(", b"defaults:\n  "),
]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    content = bytearray(draw(st.sampled_from(_VALID)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.integers(0, 30)))
        match draw(st.integers(0, 4)):
            case 0:
                del content[at:to]
            case 1:
                content[at:at] = draw(st.sampled_from(_FRAGMENTS))
            case 2:
                content[at:to] = draw(st.sampled_from(_FRAGMENTS))
            case 3:
                content[at:at] = content[at:to]
            case _:
                content[at:at] = draw(st.binary(min_size=1, max_size=4))
    return bytes(content)


def _holds_together(content: bytes) -> None:
    compiled = _compile(content)
    if compiled.task is not None:
        assert compiled.task.code.strip()
        assert compiled.task.code_line >= 2
    _settle(content)


@given(st.binary(max_size=400))
@example(b"")
@example(b"\xef\xbb\xbf")
def test_random_bytes_are_a_task_or_problems(content: bytes) -> None:
    _holds_together(content)


@given(st.text(max_size=200))
def test_random_text_is_a_task_or_problems(text: str) -> None:
    _holds_together(text.encode("utf-8", "surrogatepass"))


@given(_mutated())
def test_a_valid_file_with_random_changes_is_a_task_or_problems(content: bytes) -> None:
    _holds_together(content)


@given(st.lists(st.sampled_from(_FRAGMENTS), max_size=40))
def test_random_fragments_are_a_task_or_problems(fragments: list[bytes]) -> None:
    _holds_together(b"".join(fragments))


_LINE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f", exclude_categories=["Cc"]),
    max_size=40,
)


@given(st.lists(_LINE, min_size=1, max_size=8))
def test_whatever_stands_in_a_block_is_a_task_or_problems_within_its_lines(lines: list[str]) -> None:
    content = _HEAD + "code: |2\n" + "".join(f"  {line}\n" for line in lines)
    compiled = _compile(content)

    for problem in compiled.problems:
        assert problem.code in {"python", "value"}
        assert 4 <= problem.line <= 4 + len(lines)
    if compiled.task is not None:
        assert compiled.task.code == "".join(f"{line}\n" for line in lines).rstrip("\n") + "\n"


# Found in the mending of the above.


def test_checking_long_code_never_imports_what_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("open('executed', 'w').close()\n")
    monkeypatch.chdir(tmp_path)

    compiled = _compile(_code("\n".join(["x = 1"] * 10_000)))

    assert not (tmp_path / "executed").exists()
    assert compiled.task is not None


def test_a_list_of_many_lists_is_answered_soon() -> None:
    _alone(f"{_HEAD}tags: [{'[],' * 300_000}]\n{_CODE}", 1.0)


def test_a_tag_directive_is_shown_where_it_stands() -> None:
    [problem] = _compile(f"# a\n# b\n%TAG !a! b\n---\n{_HEAD}{_CODE}").problems

    assert (problem.line, problem.column) == (3, 1)


def test_no_line_of_the_block_is_named_as_one_of_the_file() -> None:
    [problem] = _compile(_code("x = 1\ny = '''\nabc")).problems

    assert problem.line == 6
    assert "line 3" not in problem.message
