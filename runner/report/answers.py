"""The answers of `blame`, `why` and `replay`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.clock import iso
from runner.model.run import Run
from runner.report import as_json
from runner.report.fold import fold_line
from runner.report.table import plain
from runner.report.tick_text import local
from runner.schedule.localtime import load_zone

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.acting.replay import Replay
    from runner.operations.asking.blame import Blame
    from runner.operations.asking.why import Why


def why_lines(value: Why, width: int | None = None) -> Iterator[str]:
    """Yield the sentences that say why a task runs or not, wrapped to `width` cells; None wraps nothing."""
    for sentence in value.sentences:
        yield from fold_line(sentence, width)


def blame_lines(value: Blame, width: int | None = None) -> Iterator[str]:
    """Yield since when a task has failed, and the commits before its first failure, wrapped to `width` cells.

    None wraps nothing.
    """
    for line in _blame_lines(value):
        yield from fold_line(line, width)


def _blame_lines(value: Blame) -> Iterator[str]:
    streak = value.streak
    first, success = streak.first_failure, streak.last_success
    if not value.fails() or first is None:
        yield f"{value.task} does not fail: {_run_in_words(streak.last)}"
        return
    times = "once" if streak.failures == 1 else f"{streak.failures} times"
    yield f"{value.task} has failed since {_when(first)}, {times}"
    yield f"first failure: {_run_in_words(first)}"
    yield f"last success:  {_run_in_words(success) if success is not None else 'none on record'}"
    yield from _commit_lines(value)


def _commit_lines(value: Blame) -> Iterator[str]:
    span = "between these two runs" if value.streak.last_success is not None else "up to the first failure"
    if value.commits is None:
        yield f"the commits {span} are not known: the repository does not have them"
    elif not value.commits:
        yield f"no commit {span} changed the task or runner.yaml: look at the data of the task, and at the machine"
    else:
        yield f"commits {span} that changed the task or runner.yaml:"
        yield from (f"  {commit.authored_at:%Y-%m-%d %H:%M} {plain(commit.in_words())}" for commit in value.commits)


def _run_in_words(run: Run | None) -> str:
    if run is None:
        return "no run of it has ended"
    reason = f", {plain(run.reason)}" if run.reason and run.reason != "due" else ""
    return f"run {run.run_id} at {_when(run)}, {run.status}{reason}, commit {(run.commit or '-')[:12]}"


def _when(run: Run) -> str:
    return local(run.scheduled_for or run.started_at or run.finished_at, load_zone(run.timezone))


def blame_json(value: Blame) -> dict[str, Any]:
    """Return since when a task has failed. `commits` is null where the repository does not have them."""
    streak = value.streak
    fails = value.fails()
    return {
        "task": value.task,
        "fails": fails,
        "failures": streak.failures if fails else 0,
        "first_failure": _run(streak.first_failure if fails else None),
        "last_success": _run(streak.last_success),
        "last_run": _run(streak.last),
        "commits": None if value.commits is None else [as_json.commit(commit) for commit in value.commits],
    }


def why_json(value: Why) -> dict[str, Any]:
    """Return why a task ran or did not run. `cause` is one of a fixed list (docs/plan.md)."""
    return {
        "task": value.task,
        "at": iso(value.at),
        "cause": value.cause,
        "sentences": list(value.sentences),
        "run": _run(value.run),
        "previous_slot": None if value.previous_slot is None else iso(value.previous_slot),
        "next_slot": None if value.next_slot is None else iso(value.next_slot),
    }


def _run(value: Run | None) -> dict[str, Any] | None:
    return None if value is None else as_json.run(value)


def replay_lines(value: Replay) -> Iterator[str]:
    """Yield the lines that say how the two runs ended, and how their outputs differ."""
    old, new = value.original.run, value.again.run
    yield f"run {old.run_id}: {_status_in_words(old)}; replayed as run {new.run_id}: {_status_in_words(new)}"
    if not value.difference:
        yield "the outputs are the same"
    yield from (plain(line) for line in value.difference)


def _status_in_words(run: Run) -> str:
    return f"{run.status}{f' ({plain(run.reason)})' if run.reason else ''}"


def replay_json(value: Replay) -> dict[str, Any]:
    """Return both runs, and how their outputs differ."""
    return {
        "original": as_json.run_details(value.original),
        "replay": as_json.run_details(value.again),
        "difference": list(value.difference),
    }
