"""`tick`, `run` and `cancel`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from runner import clock
from runner.cli.commands.arguments import Json, OneTask
from runner.cli.commands.completion import task_ids
from runner.cli.context import State, remark, remark_edits, say_wait, show, show_lines, text
from runner.cli.nonblocking import NonblockingWriter
from runner.cli.proposals import show_proposal
from runner.cli.screen import in_width, terminal_width
from runner.cli.state_folder import prepare_state
from runner.cli.ticking import run_tick
from runner.model.statuses import CANCELLED, SUCCEEDED
from runner.operations.acting.cancel import cancel
from runner.operations.acting.learn import learn
from runner.operations.acting.run_now import HowToRun, Observer, run_now
from runner.operations.asking.not_held import said_by_ticks
from runner.operations.checkout import uncommitted
from runner.operations.lookup import unfinished_run_named
from runner.operations.ticking.progress import Watch
from runner.operations.ticking.tick import Request, TickReport
from runner.report import as_json, tables, tick_text
from runner.report.context_text import rehearsal_facts
from runner.report.facts import Facts, facts_lines
from runner.report.permissions_text import proposal_json
from runner.report.progress_text import ProgressText

_Worktree = Annotated[
    bool,
    typer.Option("--worktree", help="Use the files of the work tree, committed or not; for trying."),
]
_TICK_EPILOG = """\b
Examples:
  runner tick                          what cron runs, every minute
  runner tick --dry-run                which tasks would run now, and why
  runner tick --task billing/report    only this task, if it is due
"""
_RUN_EPILOG = """\b
Examples:
  runner run billing/report               the committed version, now
  runner run billing/report --worktree    the version of the work tree
  runner run billing/report --learn       and print the permissions that it needs
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("tick", epilog=_TICK_EPILOG)(_tick)
    app.command("run", epilog=_RUN_EPILOG)(_run)
    app.command("cancel")(_cancel)


def _tick(
    context: typer.Context,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", metavar="ID", help="Only this task; repeatable.", parser=text, autocompletion=task_ids),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show for every task whether it would run; write nothing.")
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Also show starts and ends as they happen, problems and uncommitted files. "
            "-vv also shows what tasks print.",
        ),
    ] = 0,
    worktree: _Worktree = False,
    json: Json = False,
) -> int:
    """Run what is due, and record it."""
    state: State = context.obj
    only = frozenset(task) if task else None
    if dry_run:
        return _dry_run(state, only, worktree=worktree, json=json, verbose=verbose > 0)
    passing = NonblockingWriter(sys.stdout)

    def show_report(report: TickReport) -> None:
        if json:
            print(as_json.dumps(as_json.tick(report)))
            return
        passing.finish()
        show_lines(map(in_width, tick_text.tick_lines(report, clock.now(), terminal_width())))
        if verbose:
            show(*tables.problems(report.problems))
            show_lines(said_by_ticks(state.workspace))
            _point_out_edits(state, worktree=worktree)

    watch = _watch(state, passing, wants_output=verbose > 1) if verbose and not json else None
    return run_tick(state.workspace, Request(only, worktree), show_report, watch)


def _watch(state: State, passing: NonblockingWriter, *, wants_output: bool) -> Watch:
    """Return the watch of a tick, which prints events and output. A closed standard output does not end the tick."""
    text = ProgressText(sys.stdout.encoding, sys.stdout.errors)
    return Watch(state.place.database, lambda news: passing.show(text.lines(news)), wants_output=wants_output)


def _dry_run(state: State, only: frozenset[str] | None, *, worktree: bool, json: bool, verbose: bool) -> int:
    from runner.operations.asking.dry_run import dry_run_tick  # noqa: PLC0415 - it loads what reads task files

    dry_run = dry_run_tick(state.workspace, clock.now(), only, worktree=worktree)
    if json:
        print(as_json.dumps(as_json.dry_run(dry_run)))
    else:
        show(tables.dry_run(dry_run), *tables.problems(dry_run.problems))
        if verbose:
            _point_out_edits(state, worktree=False)
    return 1 if dry_run.has_errors() else 0


def _point_out_edits(state: State, *, worktree: bool) -> None:
    edits = () if worktree else uncommitted(state.place)
    if edits:
        print(f"uncommitted, not run: {tables.some(edits)}")


def _run(
    context: typer.Context,
    task: OneTask,
    worktree: _Worktree = False,
    rollback: Annotated[
        bool,
        typer.Option("--rollback", help="Rehearse a task of a Django project: its changes are counted, and undone."),
    ] = False,
    learns: Annotated[
        bool,
        typer.Option("--learn", help="Let the task touch what it wants, and print the `permissions` that it needs."),
    ] = False,
    json: Json = False,
) -> int:
    """Run one task now, due or not; its schedule does not change."""
    state: State = context.obj
    prepare_state(state.workspace)
    passing = NonblockingWriter(sys.stdout)
    watcher = Observer(None if json else passing.show, remark, say_wait)
    if not worktree:
        remark_edits(state, task)
    how = HowToRun(worktree=worktree, rollback=rollback)
    proposal = None
    if learns:
        details, proposal = learn(state.workspace, task, clock.now(), watcher, how)
    else:
        details = run_now(state.workspace, task, clock.now(), watcher, how)
    passing.finish()
    run = details.run
    if json:
        found = {} if proposal is None else {"permissions": proposal_json(proposal)}
        print(as_json.dumps(as_json.run_details(details) | found))
    else:
        took = "" if run.duration_seconds is None else f" after {run.duration_seconds:.1f}s"
        reason = f": {run.reason}" if run.status != SUCCEEDED and run.reason else ""
        print(f"run {run.run_id} {run.status}{took}{reason}", file=sys.stderr)
        rehearsal = details.attempts[-1].rehearsal if details.attempts else ""
        for line in facts_lines(Facts([*rehearsal_facts(rehearsal)]), terminal_width()):
            print(line, file=sys.stderr)
        if proposal is not None:
            show_proposal(proposal)
    passing.check()
    return 0 if run.status == SUCCEEDED else 1


def _cancel(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="The number of the run, from `runner status`; or a task: its last run that has not ended.",
            parser=text,
            autocompletion=task_ids,
        ),
    ],
    json: Json = False,
) -> int:
    """End a run and all processes that it has started.

    The run may be running or waiting. The command returns once the run has ended.
    """
    state: State = context.obj
    ended = cancel(state.workspace, unfinished_run_named(state.workspace, run), clock.now(), remark)
    if json:
        print(as_json.dumps(as_json.run(ended)))
    else:
        print(f"run {ended.run_id} {ended.status}")
    return 0 if ended.status == CANCELLED else 1
