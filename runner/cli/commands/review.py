"""`plan`, `blame`, `why` and `replay`: what a change means, before it is merged and after."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.completion import task_ids
from runner.cli.context import LARGEST, State, remark, say_wait, show_lines, text, time
from runner.cli.passing import Passing
from runner.cli.state_folder import prepare_state
from runner.model.words import SUCCEEDED
from runner.operations import plan as plans
from runner.operations.blame import blame
from runner.operations.place import location
from runner.operations.replay import replay
from runner.operations.run_now import Watcher
from runner.operations.sides import sides
from runner.operations.why import why
from runner.report import answers, as_json, plan_json
from runner.report.plan_markdown import plan_markdown
from runner.report.plan_text import plan_lines

_CHANGES = 2
_PLAN_EPILOG = """\b
Examples:
  runner plan                                  what is in force, against the work tree
  runner plan origin/main HEAD                 a branch, as a pull request has it
  runner plan --format markdown > plan.md      as a comment on a pull request
  runner plan --exit-code                      0 no change, 1 error, 2 changes
"""


_WHY_EPILOG = """\b
Examples:
  runner why billing/report                            how it stands now
  runner why billing/report --at 2026-11-23T08:00      what became of that slot
"""
_REPLAY_EPILOG = """\b
Examples:
  runner replay 42                       the version of then, for the slot of then
  runner replay 42 --at-commit head      the version of now
"""
_Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
_Task = Annotated[str, typer.Argument(metavar="ID", help="The task.", parser=text, autocompletion=task_ids)]


class Version(StrEnum):
    """Which version of a task is run again."""

    ORIGINAL = "original"
    HEAD = "head"


class Format(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("plan", epilog=_PLAN_EPILOG)(_plan)
    app.command("blame")(_blame)
    app.command("why", epilog=_WHY_EPILOG)(_why)
    app.command("replay", epilog=_REPLAY_EPILOG)(_replay)


def _plan(
    context: typer.Context,
    base: Annotated[
        str | None,
        typer.Argument(metavar="[BASE]", help="A commit. Default: what is in force; in CI the target branch."),
    ] = None,
    head: Annotated[
        str | None, typer.Argument(metavar="[HEAD]", help="A commit. Default: the work tree; in CI HEAD.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
    json: _Json = False,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, max=1000, help="How many starts to show.")
    ] = plans.FIRES,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 2 where there are changes.")] = False,
) -> int:
    """Say what a change of the tasks means in time; writes nothing."""
    state: State = context.obj
    location(state.site)
    compared = sides(state.site, os.environ, base, head)
    value = plans.plan(state.site, compared, clock.now(), count)
    if json or form is Format.JSON:
        print(as_json.dumps(plan_json.plan(value)))
    elif form is Format.MARKDOWN:
        print(plan_markdown(value), end="")
    else:
        show_lines(plan_lines(value))
    if value.has_errors():
        return 1
    return _CHANGES if exit_code and value.has_changes() else 0


def _blame(context: typer.Context, task: _Task, json: _Json = False) -> int:
    """Say since when a task fails, and which commits lie before that."""
    state: State = context.obj
    value = blame(state.site, task)
    if json:
        print(as_json.dumps(answers.blame_json(value)))
    else:
        show_lines(answers.blame_lines(value))
    return 0


def _why(
    context: typer.Context,
    task: _Task,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Then (ISO 8601, in the task's timezone unless it says otherwise); default now.",
        ),
    ] = None,
    json: _Json = False,
) -> int:
    """Say why a task ran or did not: now, or at a time that is over."""
    state: State = context.obj
    value = why(state.site, task, time(at), clock.now())
    if json:
        print(as_json.dumps(answers.why_json(value)))
    else:
        show_lines(value.sentences)
    return 0


def _replay(
    context: typer.Context,
    run: Annotated[
        int, typer.Argument(metavar="RUN", min=1, max=LARGEST, help="The number of the run, from `runner history`.")
    ],
    at_commit: Annotated[
        Version, typer.Option("--at-commit", help="The version of then, or of now.")
    ] = Version.ORIGINAL,
    json: _Json = False,
) -> int:
    """Run a past run again, for its slot; the schedule is not touched."""
    state: State = context.obj
    prepare_state(state.site)
    passing = Passing(sys.stdout)
    live = None if json else passing.show
    watcher = Watcher(live, remark, say_wait)
    value = replay(state.site, run, clock.now(), watcher, at_head=at_commit is Version.HEAD)
    passing.finish()
    if json:
        print(as_json.dumps(answers.replay_json(value)))
    else:
        print(*answers.replay_lines(value), sep="\n", file=sys.stderr)
    passing.check()
    return 0 if value.again.run.status == SUCCEEDED else 1
