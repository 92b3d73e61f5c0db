"""`new`."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from runner.cli.context import State, text
from runner.errors import UsageError
from runner.operations.reviewing.new_task import write_task
from runner.taskfile import compose

_EPILOG = """\b
Examples:
  runner new billing/report --every "15 minutes"
  runner new billing/report --at 08:00 --timezone Europe/Berlin --branch report
  runner new billing/report               asks what it needs to know
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("new", epilog=_EPILOG)(_new)


def _new(
    context: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="ID", parser=text, help="The path of its file below tasks/, without .yaml.")
    ],
    every: Annotated[str | None, typer.Option("--every", metavar="INTERVAL", help='Such as "15 minutes".')] = None,
    cron: Annotated[
        str | None, typer.Option("--cron", metavar="EXPRESSION", parser=text, help='Such as "0 8 * * mon-fri".')
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="Every day at a time such as 08:00.")] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", metavar="ZONE", parser=text, help="IANA name, such as Europe/Berlin.")
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", parser=text, help="What it is for.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="WHO", parser=text, help="Who answers for it.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="Commit it on a new branch of this name.")
    ] = None,
) -> int:
    """Write a new task, valid at once, with code to begin with."""
    state: State = context.obj
    about = {"description": description, "owner": owner}
    if every is cron is at is None:
        about, schedule = _asked(about)
    else:
        schedule = _schedule(every, cron, at)
    keys = {**about, **schedule, "timezone": timezone}
    given = {name: value for name, value in keys.items() if value is not None}
    written = write_task(state.place, task, given, branch)
    if written.branch is None:
        print(f"wrote {written.path}: put your code into it")
        print(f"then: runner run {task} --worktree, and commit it")
    else:
        folder, branch = shlex.quote(f"../{written.branch.replace('/', '-')}"), shlex.quote(written.branch)
        print(f"committed {written.path} on the new branch {written.branch}; this checkout is as it was")
        print(f"to put your code into it: git worktree add {folder} {branch}")
        print(f"to have it reviewed: {written.request}")
    return 0


def _schedule(every: str | None, cron: str | None, at: str | None) -> dict[str, object]:
    given = [compose.every(every)] if every is not None else []
    given += [{"cron": cron}] if cron is not None else []
    given += [compose.at(at)] if at is not None else []
    if len(given) > 1:
        raise UsageError("a task has one schedule", "give one of --every, --cron and --at")
    return given[0]


def _asked(about: dict[str, str | None]) -> tuple[dict[str, str | None], dict[str, object]]:
    """Ask a person for what the options have not said. Raises UsageError where nobody is there."""
    if not sys.stdin.isatty():
        raise UsageError("when is it to run?", 'give --every "15 minutes", --at 08:00 or --cron "0 8 * * mon-fri"')
    description = about["description"] or text(typer.prompt("What is it for", default="", show_default=False)) or None
    when = typer.prompt('When ("15 minutes", 08:00, or a cron expression)')
    return about | {"description": description}, _guessed(text(when))


def _guessed(when: str) -> dict[str, object]:
    fields = 5
    if len(when.split()) >= fields or when.startswith("@"):
        return {"cron": when}
    return compose.at(when) if ":" in when else compose.every(when)
