"""`blame`, `why` and `replay`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.arguments import AnyRun, Json, OneTask
from runner.cli.context import State, paged, remark, say_wait, show_lines, time
from runner.cli.nonblocking import NonblockingWriter
from runner.cli.screen import in_width, terminal_width
from runner.cli.state_folder import prepare_state
from runner.model.statuses import SUCCEEDED
from runner.operations.acting.replay import replay
from runner.operations.acting.run_now import Observer
from runner.operations.asking.blame import blame
from runner.operations.asking.why import why
from runner.operations.lookup import run_named
from runner.report import answers, as_json

_WHY_EPILOG = """\b
Examples:
  runner why billing/report                            its last run and its next slot
  runner why billing/report --at 2026-11-23T08:00      what happened to that slot
"""
_REPLAY_EPILOG = """\b
Examples:
  runner replay 42                       run 42 again: the same version, the same slot
  runner replay billing/report           the last run of a task again
  runner replay 42 --at-commit head      the present version of the task, for the same slot
"""


class Version(StrEnum):
    """The version of a task that a replay runs."""

    ORIGINAL = "original"
    HEAD = "head"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("blame")(_blame)
    app.command("why", epilog=_WHY_EPILOG)(_why)
    app.command("replay", epilog=_REPLAY_EPILOG)(_replay)


def _blame(context: typer.Context, task: OneTask, json: Json = False) -> int:
    """Show since when a task has failed, and the commits before that."""
    state: State = context.obj
    value = blame(state.workspace, task)
    if json:
        print(as_json.dumps(answers.blame_json(value)))
    else:
        show_lines(map(in_width, answers.blame_lines(value, terminal_width())))
    return 0


def _why(
    context: typer.Context,
    task: OneTask,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="At this time (ISO 8601; in the task's timezone if it has no offset). Default: now.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Explain why a task runs or does not run, now or at a past time."""
    state = paged(context)
    value = why(state.workspace, task, time(at), clock.now())
    if json:
        print(as_json.dumps(answers.why_json(value)))
    else:
        show_lines(map(in_width, answers.why_lines(value, terminal_width())))
    return 0


def _replay(
    context: typer.Context,
    run: AnyRun,
    at_commit: Annotated[
        Version, typer.Option("--at-commit", help="Run the original version or the present one.")
    ] = Version.ORIGINAL,
    json: Json = False,
) -> int:
    """Run a past run again, for the same slot.

    The schedule of the task does not change.
    """
    state: State = context.obj
    prepare_state(state.workspace)
    passing = NonblockingWriter(sys.stdout)
    live = None if json else passing.show
    watcher = Observer(live, remark, say_wait)
    value = replay(
        state.workspace, run_named(state.workspace, run), clock.now(), watcher, at_head=at_commit is Version.HEAD
    )
    passing.finish()
    if json:
        print(as_json.dumps(answers.replay_json(value)))
    else:
        print(*answers.replay_lines(value), sep="\n", file=sys.stderr)
    passing.check()
    return 0 if value.again.run.status == SUCCEEDED else 1
