"""`list`, `next`, `status`, `history`, `show`, `logs`, `stats`."""

from __future__ import annotations

from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.arguments import AnyRun, Json
from runner.cli.commands.completion import statuses, task_ids
from runner.cli.context import State, instant, paged, remark_edits, show, text, write_through
from runner.model.statistics import Window
from runner.operations.asking import run_history, task_list
from runner.operations.asking import status as status_of
from runner.operations.asking.logs import logs
from runner.operations.asking.next_slots import next_slots
from runner.operations.asking.stats import stats
from runner.operations.checkout import edits
from runner.operations.lookup import run_named
from runner.report import as_json, stats_text, tables

_Task = Annotated[
    str | None, typer.Argument(metavar="ID", help="One task. Default: all.", parser=text, autocompletion=task_ids)
]
_Count = Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")]
_LIST_EPILOG = """\b
Examples:
  runner list                         every task
  runner list 'billing/*'             the tasks below tasks/billing/
  runner list --state degraded        the tasks that run their last valid version
  runner list --tag monthly --json    the tasks with this tag, as JSON
"""
_NEXT_EPILOG = """\b
Examples:
  runner next                                      the next slots of all tasks
  runner next billing/report -n 5                  the next five slots of one task
  runner next --from 2026-03-28 billing/report     the slots around a change of the clocks
"""
_HISTORY_EPILOG = """\b
Examples:
  runner history                          the last runs
  runner history billing/report -n 50     the last 50 runs of one task
  runner history --since 2026-03-28       the runs from that day on
  runner history --status failed --json   the failed runs, as JSON
"""
_LOGS_EPILOG = """\b
Examples:
  runner logs 42                 what run 42 printed
  runner logs billing/report     what its last run printed
  runner logs -f 42              also what it will print, until it has ended
"""
_STATS_EPILOG = """\b
Examples:
  runner stats                      how each task has done in seven days
  runner stats --window 30d         in thirty days
  runner stats billing/report       one task: a day, seven days and thirty days
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("list", epilog=_LIST_EPILOG)(_list)
    app.command("next", epilog=_NEXT_EPILOG)(_next)
    app.command("status")(_status)
    app.command("history", epilog=_HISTORY_EPILOG)(_history)
    app.command("show")(_show)
    app.command("logs", epilog=_LOGS_EPILOG)(_logs)
    app.command("stats", epilog=_STATS_EPILOG)(_stats)


def _list(
    context: typer.Context,
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="PATTERN",
            help="Only tasks whose ids match: `*` matches any characters, `?` matches one.",
            parser=text,
            autocompletion=task_ids,
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", metavar="S", help=f"Only tasks in this state: {', '.join(task_list.STATES)}."),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", metavar="T", help="Only tasks with this tag.")] = None,
    owner: Annotated[str | None, typer.Option("--owner", metavar="O", help="Only tasks of this owner.")] = None,
    json: Json = False,
) -> int:
    """List the tasks of the commit in force."""
    place = paged(context)
    filters = task_list.Filter(pattern, state, tag, owner)
    entries = task_list.list_tasks(place.workspace, clock.now(), filters)
    if json:
        print(as_json.dumps([as_json.entry(entry) for entry in entries]))
    else:
        show(tables.entries(entries) if entries else tables.Line("no tasks"))
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
            help="From this time on (ISO 8601; UTC if it has no offset). Default: now.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Show the next slots, the earliest first."""
    state = paged(context)
    slots = next_slots(state.workspace, task, count, instant(since), clock.now())
    if json:
        print(as_json.dumps([as_json.upcoming_slot(slot) for slot in slots]))
    else:
        show(tables.upcoming_slots(slots) if slots else tables.Line("no slot is planned"))
    return 0


def _status(context: typer.Context, json: Json = False) -> int:
    """Show whether ticks run and tasks succeed.

    Also shows the commit, failures, problems and uncommitted edits.
    """
    state = paged(context)
    now = clock.now()
    value = status_of.status(state.workspace, now)
    found = edits(state.workspace)
    if json:
        print(as_json.dumps(as_json.status(value, found, now)))
    else:
        show(*tables.status(value, found, now))
    return 0


def _history(
    context: typer.Context,
    task: _Task = None,
    count: _Count = 20,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="S", help="Only runs of this status, as shown.", autocompletion=statuses),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="T", help="Only from this time on (ISO 8601; UTC if it has no offset)."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="T", help="Only before this time.")] = None,
    json: Json = False,
) -> int:
    """Show what has run, the newest first."""
    state = paged(context)
    runs = run_history.history(state.workspace, task, status, count, instant(since), instant(until))
    if task is not None:
        remark_edits(state, task)
    commits = run_history.commits_of(state.workspace, runs)
    if json:
        print(as_json.dumps([as_json.run_of_commit(run, commits) for run in runs]))
    else:
        show(tables.runs(runs, commits) if runs else tables.Line("no runs"))
    return 0


def _show(
    context: typer.Context,
    run: AnyRun,
    json: Json = False,
) -> int:
    """Show one run: how it ended, what it printed, where it failed."""
    state = paged(context)
    details = run_history.show(state.workspace, run_named(state.workspace, run))
    commits = run_history.commits_of(state.workspace, [details.run])
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
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output until the run has ended.")] = False,
) -> int:
    """Show what a run has printed, also before it has ended.

    The output is byte for byte what the run printed, with secrets masked.
    """
    state: State = context.obj if follow else paged(context)
    for data in logs(state.workspace, run_named(state.workspace, name), follow=follow):
        write_through(data)
    return 0


def _stats(
    context: typer.Context,
    task: _Task = None,
    window: Annotated[Window, typer.Option("--window", help="The window of the table of all tasks.")] = Window.WEEK,
    json: Json = False,
) -> int:
    """Show how often tasks succeed, and how long they take.

    A run counts in the window that has its slot; runs by hand do not count.
    """
    state = paged(context)
    found = stats(state.workspace, task, clock.now())
    if json:
        print(as_json.dumps([stats_text.as_values(each) for each in found]))
    elif task is not None:
        show(stats_text.of_windows(found))
    else:
        show(stats_text.of_tasks(each for each in found if each.window == window))
    return 0
