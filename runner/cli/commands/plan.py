"""`plan`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from runner import clock
from runner.cli.context import paged, show_lines
from runner.cli.screen import in_width, terminal_width
from runner.operations.checkout import location
from runner.operations.reviewing import plan as plans
from runner.operations.reviewing.plan_inputs import plan_inputs
from runner.report import as_json, plan_json
from runner.report.plan_markdown import plan_markdown
from runner.report.plan_text import plan_lines

_CHANGES = 2
_EPILOG = """\b
Examples:
  runner plan                                  compare the commit in force with the work tree
  runner plan origin/main HEAD                 compare two commits, as for a pull request
  runner plan --format markdown > plan.md      a comment for a pull request
  runner plan --rehearse                       also run the added and altered tasks, and show what they print
  runner plan --exit-code                      exit code 0: no changes, 1: errors, 2: changes
"""


class Format(StrEnum):
    """The formats of a plan."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("plan", epilog=_EPILOG)(_plan)


def _plan(
    context: typer.Context,
    base: Annotated[
        str | None,
        typer.Argument(metavar="BASE", help="A commit. Default: the commit in force; in CI the target branch."),
    ] = None,
    head: Annotated[
        str | None, typer.Argument(metavar="HEAD", help="A commit. Default: the work tree; in CI HEAD.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print the plan.")] = Format.TEXT,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, max=1000, help="How many starts to show.")
    ] = plans.FIRES,
    rehearse: Annotated[
        bool,
        typer.Option("--rehearse", help="Run each added or altered task, 10 s at most, with next to nothing granted."),
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 2 if there are changes.")] = False,
) -> int:
    """Show what a change of the task files changes in the schedule.

    Writes nothing. With --rehearse, tasks may read the files of their commit, and nothing else.
    """
    state = paged(context)
    location(state.workspace)
    now = clock.now()
    inputs = plan_inputs(state.workspace, os.environ, base, head, now)
    value, sides = plans.plan_and_sides(state.workspace, inputs, now, count)
    if rehearse:
        from runner.operations.reviewing.rehearse import with_rehearsals  # noqa: PLC0415 - loads what starts processes

        value = with_rehearsals(state.workspace, value, sides)
    if json or form is Format.JSON:
        print(as_json.dumps(plan_json.plan(value)))
    elif form is Format.MARKDOWN:
        print(plan_markdown(value), end="")
    else:
        show_lines(map(in_width, plan_lines(value, terminal_width())))
    if value.has_errors():
        return 1
    return _CHANGES if exit_code and value.has_changes() else 0
