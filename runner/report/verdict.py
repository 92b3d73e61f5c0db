"""The first line of `status`: all is well, or all that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from runner.operations.ticking.idle import followed, rough
from runner.report.tick_text import local

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.asking.status import Status


_UNITS = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min"))


def verdict(value: Status, now: datetime) -> str:
    """Return `all well: 12 tasks, next …`, or everything that is wrong, separated by semicolons."""
    troubles = "; ".join(_troubles(value, now))
    if troubles:
        return troubles
    planned = "no slot is planned" if value.next_slot is None else f"next {next_in_words(value, now)}"
    return f"all well: {_count(value.active + value.inactive, 'task')}, {planned}"


def next_in_words(value: Status, now: datetime) -> str:
    """Return the next slot and how far away it is: `billing/report at 2026-06-10 14:00 CEST (in 3 min)`.

    Where no tick has decided the slot in time, return how long it is overdue; where there is no slot, return a dash.
    """
    if value.next_slot is None:
        return "-"
    task, due, wall = value.next_slot
    if value.overdue is not None:
        return f"{task} at {wall} (overdue for {_whole(now - due)})"
    return f"{task} at {wall} ({'due now' if due <= now else f'in {rough((due - now).total_seconds())}'})"


def _troubles(value: Status, now: datetime) -> Iterator[str]:
    if value.overdue is not None:
        yield f"no tick has run since {local(value.overdue, UTC)}: overdue for {_whole(now - value.overdue)}"
    elif not value.has_ticked and value.active:
        yield "no tick has run yet"
    if value.moved is not None:
        before, branch = followed("HEAD", value.moved.before), followed("HEAD", value.moved.branch)
        yield f"HEAD was moved from {before} to {branch}, whose tasks run"
    if value.failing:
        yield f"the last run of {_count(len(value.failing), 'task')} failed"
    broken = {problem.file for problem in value.problems if problem.is_error()}
    if broken:
        yield f"{_count(len(broken), 'file')} cannot be used"
    if value.degraded:
        yield f"{_count(len(value.degraded), 'task')} degraded"
    if value.unanswered:
        yield f"{_count(len(value.unanswered), 'run')} whose supervisor does not answer"
    remote = None if value.following is None else value.following.remote
    if remote is not None and remote.failing_since is not None:
        yield f"fetching has failed since {local(remote.failing_since, UTC)}"
    if remote is not None and remote.stuck_since is not None:
        yield f"fetched commits have been unreadable since {local(remote.stuck_since, UTC)}"


def _whole(span: timedelta) -> str:
    """Return a time span in whole days, hours or minutes: `5 h`."""
    unit, name = next((it for it in _UNITS if span >= it[0]), _UNITS[-1])
    return f"{span // unit} {name}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
