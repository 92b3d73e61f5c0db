"""`blame`, `why` and `replay`: what has become of a task, and why."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.arguments import AnyRun, Json, OneTask
from runner.cli.context import State, paged, remark, say_wait, show_lines, time
from runner.cli.nonblocking import NonblockingWriter
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
  runner why billing/report                            how it stands now
  runner why billing/report --at 2026-11-23T08:00      what became of that slot
"""
_REPLAY_EPILOG = """\b
Examples:
  runner replay 42                       the version of then, for the slot of then
  runner replay billing/report           the last run of a task
  runner replay 42 --at-commit head      the version of now
"""


class Version(StrEnum):
    """Which version of a task is run again."""

    ORIGINAL = "original"
    HEAD = "head"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("blame")(_blame)
    app.command("why", epilog=_WHY_EPILOG)(_why)
    app.command("replay", epilog=_REPLAY_EPILOG)(_replay)


def _blame(context: typer.Context, task: OneTask, json: Json = False) -> int:
    """Say since when a task fails, and which commits lie before that."""
    state: State = context.obj
    value = blame(state.workspace, task)
    if json:
        print(as_json.dumps(answers.blame_json(value)))
    else:
        show_lines(answers.blame_lines(value))
    return 0


def _why(
    context: typer.Context,
    task: OneTask,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Then (ISO 8601, in the task's timezone unless it says otherwise); default now.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Say why a task ran or did not: now, or at a time that is over."""
    state = paged(context)
    value = why(state.workspace, task, time(at), clock.now())
    if json:
        print(as_json.dumps(answers.why_json(value)))
    else:
        show_lines(value.sentences)
    return 0


def _replay(
    context: typer.Context,
    run: AnyRun,
    at_commit: Annotated[
        Version, typer.Option("--at-commit", help="The version of then, or of now.")
    ] = Version.ORIGINAL,
    json: Json = False,
) -> int:
    """Run a past run again, for its slot; the schedule is not touched."""
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
