"""`validate`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from runner.cli.context import State, show, show_lines
from runner.errors import RunnerError
from runner.model.problem import Validation
from runner.operations.checkout import location, uncommitted
from runner.operations.reviewing.validate import validate
from runner.report import as_json, tables
from runner.report.annotations import code_quality, workflow_commands

_EPILOG = """\b
Examples:
  runner validate                          every task, and runner.yaml
  runner validate tasks/billing            one folder
  runner validate --format github          annotations for a pull request
"""


class Format(StrEnum):
    """The formats of problems."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    GITLAB = "gitlab"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("validate", epilog=_EPILOG)(_validate)


def _validate(
    context: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH", help="Files or folders. Default: all.")] = None,
    style: Annotated[Format, typer.Option("--format", help="How problems are shown.")] = Format.TEXT,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> int:
    """Check the task files of the work tree.

    Prints every problem of every file.
    """
    state: State = context.obj
    found = validate(state.place, paths or ())
    if json or style is Format.JSON:
        print(as_json.dumps(as_json.validation(found)))
    elif style is Format.GITHUB:
        show_lines(workflow_commands(found.problems, _prefix(state)))
    elif style is Format.GITLAB:
        print(as_json.dumps(code_quality(found.problems, _prefix(state))))
    else:
        _show(state, found)
    return 1 if found.has_errors() else 0


def _show(state: State, found: Validation) -> None:
    show(*tables.problems(found.problems))
    tasks = "1 task file" if found.tasks == 1 else f"{found.tasks} task files"
    count = "1 problem" if len(found.problems) == 1 else f"{len(found.problems)} problems"
    print(f"{tasks} checked, {count if found.problems else 'no problems'}")
    try:
        edits = uncommitted(state.place)
    except RunnerError:
        return  # files can be checked before there is a repository
    if edits:
        print(f"uncommitted, not run by ticks: {tables.some(edits)}")


def _prefix(state: State) -> str:
    try:
        return location(state.place).prefix
    except RunnerError:
        return ""
