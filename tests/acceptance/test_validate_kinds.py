"""Every kind of faulty file, by the real command, in each of its formats: line, column, code, hint."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project

_INVALID = Path(__file__).resolve().parents[1] / "examples" / "invalid"
_DAILY = "frequency: 1\nunit: days\nactive: true\n"
_CODE = "code: |\n  print(1)\n"

#: What the file has: its name, its bytes → line, column, code, hint
_KINDS: dict[str, tuple[str, str | bytes, int, int, str, str]] = {
    "an unknown key": ("a.yaml", f"frequncy: 1\n{_DAILY}{_CODE}", 1, 1, "unknown-key", "did you mean `frequency`?"),
    "a missing key": ("a.yaml", f"frequency: 1\nunit: days\n{_CODE}", 1, 1, "missing-key", "add `active: true`"),
    "a value of another type": (
        *("a.yaml", f"frequency: 1\nunit: days\nactive: yes\n{_CODE}", 3, 9),
        *("type", "write `true`: YAML 1.2 reads yes as text"),
    ),
    "a value out of bounds": ("a.yaml", f"retry: {{attempts: 0}}\n{_DAILY}{_CODE}", 1, 19, "value", "for example 3"),
    "a cron expression": (
        "a.yaml",
        f'cron: "61 3 * * *"\nactive: true\n{_CODE}',
        1,
        7,
        "cron",
        "the minute goes from 0 to 59",
    ),
    "an rrule": (
        *("a.yaml", f"rrule: FREQ=DAILY;DTSTART=20260101\nactive: true\n{_CODE}", 1, 8),
        *("rrule", "set `start` and `timezone` beside it"),
    ),
    "half a schedule": (
        "a.yaml",
        f"frequency: 1\nactive: true\n{_CODE}",
        1,
        1,
        "schedule",
        "add for example `unit: days`",
    ),
    "a time zone": (
        "a.yaml",
        f"timezone: Europe/Berln\n{_DAILY}{_CODE}",
        1,
        11,
        "timezone",
        "did you mean `Europe/Berlin`?",
    ),
    "a start": (
        *("a.yaml", f"start: tomorrow\n{_DAILY}{_CODE}", 1, 8),
        *("start", "write 2026-03-29 or 2026-03-29 08:00, from 1900 on"),
    ),
    "an end before the start": (
        *("a.yaml", f"start: 2026-02-01\nend: 2026-01-01\n{_DAILY}{_CODE}", 2, 6),
        *("end", "swap them, or correct the year"),
    ),
    "a duration": (
        *("a.yaml", f"starting_deadline: 0s\n{_DAILY}{_CODE}", 1, 20),
        *("duration", "leave it out, or write 10m"),
    ),
    "a size": ("a.yaml", f"limits: {{memory: 1M}}\n{_DAILY}{_CODE}", 1, 18, "size", "write 16M at least"),
    "a secret in the open": (
        *("a.yaml", f"env: {{TOKEN: x}}\nsecrets: [TOKEN]\n{_DAILY}{_CODE}", 2, 11),
        *("secret", "take it out of `env`: this file is in git"),
    ),
    "Python": ("a.yaml", f"{_DAILY}code: |\n  print(day\n", 5, 8, "python", "print(day"),
    "code that is folded": (
        *("a.yaml", f"{_DAILY}code: >\n  print(1)\n", 4, 7),
        *("code-style", "write `code: |` and the Python below it, indented"),
    ),
    "an alias": (
        *("a.yaml", f"owner: *me\n{_DAILY}{_CODE}", 1, 8),
        *("yaml-alias", "write the value out; anchors and aliases are not used in task files"),
    ),
    "a tag": (
        *("a.yaml", f"owner: !!str me\n{_DAILY}{_CODE}", 1, 8),
        *("yaml-tag", "values are plain text, numbers, lists and mappings"),
    ),
    "a key given twice": ("a.yaml", f"{_DAILY}unit: days\n{_CODE}", 4, 1, "yaml-duplicate", "first on line 2"),
    "two documents": ("a.yaml", f"{_DAILY}{_CODE}---\nx: 1\n", 6, 1, "yaml-documents", "one file is one document"),
    "no mapping": (
        *("a.yaml", "- a\n", 1, 1),
        *("structure", "write `key: value` lines, such as `active: true`"),
    ),
    "Windows line ends": (
        *("a.yaml", f"{_DAILY}{_CODE}".replace("\n", "\r\n"), 1, 13),
        *("line-ends", "save the file with Unix line ends (LF)"),
    ),
    "a byte order mark": ("a.yaml", f"\ufeff{_DAILY}{_CODE}", 1, 1, "encoding", "save it as UTF-8 without BOM"),
    "a file that is too large": ("a.yaml", b"x" * 2_000_000, 1, 1, "file-size", "move data out of the task"),
    "another ending": ("a.yml", f"{_DAILY}{_CODE}", 1, 1, "file-name", "rename it to end in .yaml"),
    "a name that is no id": (
        *("a b.yaml", f"{_DAILY}{_CODE}", 1, 1),
        *("file-name", "use letters, digits, dot, dash and underscore, and begin with a letter or digit"),
    ),
}


def _place(problem: dict[str, Any]) -> tuple[str, int, int, str, str]:
    return problem["file"], problem["line"], problem["column"], problem["code"], problem["hint"]


def test_every_kind_of_faulty_file_is_shown_with_its_place_its_code_and_what_to_do(project: Project) -> None:
    for number, (name, content, *_) in enumerate(_KINDS.values()):
        project.write(f"tasks/k{number}/{name}", content)

    problems = project.json("validate")["problems"]

    expected = [(f"tasks/k{number}/{name}", *rest) for number, (name, _, *rest) in enumerate(_KINDS.values())]
    assert sorted(map(_place, problems)) == sorted(expected)


@pytest.mark.held
@pytest.mark.parametrize(
    ("text", "line", "column", "code", "hint"),
    [
        ("max_paralel: 2\n", 1, 1, "unknown-key", "did you mean `max_parallel`?"),
        ("\nmax_parallel: two\n", 2, 15, "type", "for example 4"),
        ("defaults:\n  timeout: soon\n", 2, 12, "value", 'for example "90s"'),
        ("timezone: Berlin\n", 1, 11, "timezone", ""),
        ("git: {ref: [a]}\n", 1, 12, "type", ""),
        ("- 1\n", 1, 1, "structure", "write `key: value` lines"),
    ],
)
def test_faulty_settings_are_shown_like_faulty_tasks(
    project: Project, text: str, line: int, column: int, code: str, hint: str
) -> None:
    project.write("runner.yaml", text)
    project.task("good")

    [problem] = project.json("validate")["problems"]

    assert _place(problem)[:4] == ("runner.yaml", line, column, code)
    assert problem["hint"].startswith(hint)


@pytest.fixture
def corpus(project: Project) -> list[str]:
    """Put every invalid example into a project; return the expected problems, as `file:line:column: code: message`."""
    for path in _INVALID.glob("*.yaml"):
        project.write(f"tasks/{path.name}", path.read_bytes())
    most = "{imports: [psycopg], network: [5432], read: [/etc, data], write: [/srv/reports], subprocess: true}"
    user = "require_run_as: true\ndefaults: {run_as: www-data}\n"
    project.write("runner.yaml", f"permissions: {{most: {most}}}\n{user}")
    return sorted(
        f"tasks/{path.stem}.yaml:{line}"
        for path in _INVALID.glob("*.expected")
        for line in path.read_text(encoding="utf-8").splitlines()
    )


def test_json_text_and_both_forges_say_the_same_of_every_invalid_example(project: Project, corpus: list[str]) -> None:
    problems = project.json("validate")["problems"]
    text = project.runner("validate").stdout
    github = project.runner("validate", "--format", "github").stdout.splitlines()
    gitlab = json.loads(project.runner("validate", "--format", "gitlab").stdout)

    assert sorted("{file}:{line}:{column}: {code}: {message}".format(**it) for it in problems) == corpus
    shown = re.findall(r"^(tasks/\S+:\d+:\d+): (?:error|warning): (.*) \[([\w-]+)\]$", text, re.MULTILINE)
    assert sorted(f"{place}: {code}: {message}" for place, message, code in shown) == corpus
    assert re.findall(r"^    hint: (.*)$", text, re.MULTILINE) == [it["hint"] for it in problems if it["hint"]]
    places = re.findall(r"file=(\S+?),line=(\d+),col=(\d+),title=([\w-]+)::", "\n".join(github))
    assert places == [(it["file"], str(it["line"]), str(it["column"]), it["code"]) for it in problems]
    assert [(it["location"]["path"], it["location"]["lines"]["begin"], it["check_name"]) for it in gitlab] == [
        (it["file"], it["line"], it["code"]) for it in problems
    ]
