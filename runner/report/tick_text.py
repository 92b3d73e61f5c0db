"""The report of a tick, as text. It does without rich, which takes longer to load than most ticks take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from runner.model.problem import Problem
from runner.model.run import Run
from runner.operations.ticking.idle import followed, rough
from runner.report.table import Layout, Table, plain, table_lines
from runner.schedule.localtime import load_zone

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.ticking.branch import Moved
    from runner.operations.ticking.tick import TickReport


_RUNS = Layout(
    columns=("RUN", "TASK", "STATUS", "SLOT", "TOOK", "REASON"), name="TASK", cut=("REASON",), drop=("TOOK", "REASON")
)


def tick_lines(report: TickReport, now: datetime, width: int | None = None) -> Iterator[str]:
    """Yield the lines that say what a tick did, and when the next slot is.

    The table of runs is at most `width` cells wide. Where `width` is None, nothing is cut.
    """
    if report.clock is not None:
        yield report.clock
    if report.moved is not None:
        yield from moved_lines(report.moved)
    runs = (*report.lost, *report.started, *report.skipped)
    if runs:
        yield from table_lines(Table(_RUNS, [_row(run) for run in runs]), width)
    errors = [problem for problem in report.problems if problem.is_error()]
    if errors:
        yield problem_line(errors)
    prefix = f"[{report.followed}] " if report.followed else ""
    prefix += "" if runs else "nothing due; "
    if report.next_slot is None:
        yield f"{prefix}no slot is planned"
    else:
        task, slot, local = report.next_slot
        yield f"{prefix}next: {task} at {local} (in {rough(max(0.0, (slot - now).total_seconds()))})"


def moved_lines(moved: Moved) -> Iterator[str]:
    """Yield the warning that HEAD is on another branch than before, and a hint."""
    before, branch = followed("HEAD", moved.before), followed("HEAD", moved.branch)
    seen = local(moved.since, UTC)
    yield f"warning: HEAD was moved from {before} to {branch} (seen {seen}): the tasks of {branch} run"
    yield f"hint: {_way_back(moved)}"


def _way_back(moved: Moved) -> str:
    if not moved.before:
        return "name the branch whose tasks are to run in runner.yaml: `git: {ref: …}`"
    from shlex import quote  # noqa: PLC0415 - it loads `re`, and HEAD is seldom moved

    name = followed("HEAD", moved.before)
    only = f"with `git: {{ref: {name}}}` in runner.yaml only the tasks on {name} run"
    return f"`git switch {quote(name)}` goes back; {only}"


def problem_line(errors: Sequence[Problem]) -> str:
    """Return the line that names the files with errors."""
    files = sorted({problem.file for problem in errors})
    shown = ", ".join(files[:3]) + (", …" if len(files) > 3 else "")  # noqa: PLR2004 - what fits on a line
    count = "1 file has" if len(files) == 1 else f"{len(files)} files have"
    return f"{count} problems: {shown} (see `runner status`)"


def _row(run: Run) -> tuple[str, ...]:
    zone = load_zone(run.timezone)
    took = "" if run.duration_seconds is None else f"{run.duration_seconds:.1f}s"
    return (
        str(run.run_id),
        run.task,
        run.state_in_words(),
        local(run.scheduled_for, zone),
        took,
        plain(run.reason or ""),
    )


def local(moment: datetime | None, zone: tzinfo) -> str:
    """Return an instant on a zone's wall clock to the minute, or a dash where there is none."""
    return "-" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def second(moment: datetime, zone: tzinfo) -> str:
    """Return an instant on a zone's wall clock to the second."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
