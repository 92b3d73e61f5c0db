"""What `--help` says."""

from __future__ import annotations

import re

import pytest

from runner.cli.app import _COMMANDS
from runner.cli.help import GROUPS
from tests.support.project import Project

_NAMES = [name for names in _COMMANDS.values() for name in names]


def test_every_command_stands_in_one_group_of_the_help() -> None:
    grouped = [name for names in GROUPS.values() for name in names]

    assert sorted(grouped) == sorted(_NAMES)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_help_names_every_command_below_its_group_and_cuts_no_summary(project: Project, columns: int) -> None:
    told = project.runner("--help", env={"COLUMNS": str(columns)}).stdout

    assert "..." not in told.partition("\n")[2]
    for title, names in GROUPS.items():
        section = told.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  ([a-z]+) ", section, re.MULTILINE) == list(names)


def test_every_summary_fits_on_a_line_of_80_columns(project: Project) -> None:
    told = project.runner("--help", env={"COLUMNS": "80"}).stdout
    lines = told.partition("\nEvery day:\n")[2].partition("\n  Tasks are")[0].splitlines()

    assert all(re.match(r"  [a-z]|[A-Z]|$", line) for line in lines), lines


@pytest.mark.parametrize("command", _NAMES)
def test_the_help_of_a_command_shows_no_type_of_a_program_and_no_doubled_bracket(
    project: Project, command: str
) -> None:
    told = project.runner(command, "--help").stdout

    assert "<int" not in told
    assert not re.search(r"<(str|list)|\[\[|\]\]", told)
