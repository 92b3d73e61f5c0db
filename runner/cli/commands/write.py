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
  runner new billing/report               asks for the description and the schedule
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("new", epilog=_EPILOG)(_new)


def _new(
    context: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="ID", parser=text, help="The path of the file below tasks/, without .yaml.")
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
        str | None, typer.Option("--description", metavar="TEXT", parser=text, help="What the task is for.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="WHO", parser=text, help="Who is responsible for the task.")
    ] = None,
    branch: Annotated[
        str | None, typer.Option("--branch", metavar="NAME", help="Commit the file on a new branch of this name.")
    ] = None,
) -> int:
    """Write the file of a new task, valid and with sample code."""
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
        print(f"wrote {written.path}; replace its sample code with yours")
        print(f"then: runner run {task} --worktree, and commit it")
    else:
        folder, branch = shlex.quote(f"../{written.branch.replace('/', '-')}"), shlex.quote(written.branch)
        print(f"committed {written.path} on the new branch {written.branch}; the work tree is unchanged")
        print(f"to write your code: git worktree add {folder} {branch}")
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
    """Ask for the values that are missing in the options. Raises UsageError where there is no terminal."""
    if not sys.stdin.isatty():
        raise UsageError(
            "the new task needs a schedule", 'give --every "15 minutes", --at 08:00 or --cron "0 8 * * mon-fri"'
        )
    description = (
        about["description"] or text(typer.prompt("What the task is for", default="", show_default=False)) or None
    )
    when = typer.prompt('When it runs ("15 minutes", 08:00, or a cron expression)')
    return about | {"description": description}, _guessed(text(when))


def _guessed(when: str) -> dict[str, object]:
    fields = 5
    if len(when.split()) >= fields or when.startswith("@"):
        return {"cron": when}
    return compose.at(when) if ":" in when else compose.every(when)
