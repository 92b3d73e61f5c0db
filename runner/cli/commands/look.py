"""`list`, `next`, `status`, `history`, `show`, `logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.completion import statuses, task_ids
from runner.cli.context import LARGEST, State, instant, show, text, write_through
from runner.operations import overview, past
from runner.operations.follow import logs, run_named
from runner.operations.place import uncommitted
from runner.report import as_json, tables

_Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
_Task = Annotated[
    str | None, typer.Argument(metavar="ID", help="One task; default all.", parser=text, autocompletion=task_ids)
]
_Count = Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")]
_NEXT_EPILOG = """\b
Examples:
  runner next                                      what runs next
  runner next billing/report -n 5                  one task's next five slots
  runner next --from 2026-03-28 billing/report     over a daylight-saving night
"""
_HISTORY_EPILOG = """\b
Examples:
  runner history                          the last runs
  runner history billing/report -n 50     of one task
  runner history --status failed --json   for programs
"""
_LOGS_EPILOG = """\b
Examples:
  runner logs 42                 what run 42 printed
  runner logs billing/report     what its last run printed
  runner logs -f 42              as it comes, until the run has ended
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("list")(_list)
    app.command("next", epilog=_NEXT_EPILOG)(_next)
    app.command("status")(_status)
    app.command("history", epilog=_HISTORY_EPILOG)(_history)
    app.command("show")(_show)
    app.command("logs", epilog=_LOGS_EPILOG)(_logs)


def _list(context: typer.Context, json: _Json = False) -> int:
    """List the tasks of the commit in force."""
    state: State = context.obj
    entries = overview.list_tasks(state.site, clock.now())
    if json:
        print(as_json.dumps([as_json.entry(entry) for entry in entries]))
    else:
        show(tables.entries(entries))
    return 0


def _next(
    context: typer.Context,
    task: _Task = None,
    count: _Count = 10,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="T",
            help="From this time on (ISO 8601, UTC unless it says otherwise); default now.",
        ),
    ] = None,
    json: _Json = False,
) -> int:
    """Show the next slots, the earliest first."""
    state: State = context.obj
    fires = overview.next_slots(state.site, task, count, instant(since), clock.now())
    if json:
        print(as_json.dumps([as_json.fire(fire) for fire in fires]))
    else:
        show(tables.fires(fires) if fires else "no slot is planned")
    return 0


def _status(context: typer.Context, json: _Json = False) -> int:
    """Show how everything is.

    The commit, failures, problems, edits that are not committed.
    """
    state: State = context.obj
    value = overview.status(state.site, clock.now())
    edits = uncommitted(state.site)
    if json:
        print(as_json.dumps(as_json.status(value, edits)))
    else:
        show(*tables.status(value, edits, clock.now()))
    return 0


def _history(
    context: typer.Context,
    task: _Task = None,
    count: _Count = 20,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="S", help="Only runs of this status.", autocompletion=statuses),
    ] = None,
    json: _Json = False,
) -> int:
    """Show what has run, the newest first."""
    state: State = context.obj
    runs = past.history(state.site, task, status, count)
    commits = past.commits_of(state.site, runs)
    if json:
        print(as_json.dumps([as_json.run_of_commit(run, commits) for run in runs]))
    else:
        show(tables.runs(runs, commits) if runs else "no runs")
    return 0


def _show(
    context: typer.Context,
    run: Annotated[
        int, typer.Argument(metavar="RUN", min=1, max=LARGEST, help="The number of the run, from `runner history`.")
    ],
    json: _Json = False,
) -> int:
    """Show one run: how it ended, what it printed, where it failed."""
    state: State = context.obj
    details = past.show(state.site, run)
    commits = past.commits_of(state.site, [details.run])
    if json:
        print(as_json.dumps({**as_json.run_details(details), **as_json.commit_details(details.run, commits)}))
    else:
        show(*tables.run_details(details, commits))
    return 0


def _logs(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="RUN|ID", help="A run, or a task: its last run.", parser=text, autocompletion=task_ids),
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the run has ended.")] = False,
) -> int:
    """Show what a run prints, also while it is under way.

    Byte for byte, as it was printed.
    """
    state: State = context.obj
    for data in logs(state.site, run_named(state.site, name), follow=follow):
        write_through(data)
    return 0
