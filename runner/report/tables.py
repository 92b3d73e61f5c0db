"""Values as rich tables and lines, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runner.model.commit import SHORT, Commit
from runner.model.problem import Problem
from runner.model.run import AttemptRecord, Run, RunDetails
from runner.model.words import FAILED, LOST, RUNNING, SUCCEEDED, TIMED_OUT
from runner.operations.idle import rough
from runner.operations.overview import Entry, Fire, Following, Status
from runner.operations.rehearse import Rehearsal
from runner.report.columns import plain
from runner.report.tick_text import local
from runner.schedule.localtime import load_zone

_COLOURS = {SUCCEEDED: "green", FAILED: "red", TIMED_OUT: "red", LOST: "red", RUNNING: "cyan"}

#: So many files that are not read are named to people.
_FEW = 5


def table(*headers: str) -> Table:
    """Return an empty table without lines, which copies and pipes well."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        made.add_column(header, no_wrap=True)
    return made


def entries(values: Iterable[Entry]) -> RenderableType:
    """Return the list of tasks."""
    made = table("TASK", "STATE", "SCHEDULE", "ZONE", "NEXT", "LAST RUN", "DESCRIPTION")
    for value in values:
        spec = value.task.schedule if value.task else None
        zone = spec.zone() if spec else None
        last = value.last_run
        made.add_row(
            Text(value.id),
            Text(value.state, "red" if value.state in {"invalid", "degraded"} else ""),
            Text(spec.in_words() if spec else "-"),
            Text(spec.timezone if spec else "-"),
            Text(local(value.next_due, zone) if zone else "-"),
            _status(last) if last else Text("-"),
            Text(plain(value.task.description) if value.task else ""),
        )
    return made


def fires(values: Iterable[Fire]) -> RenderableType:
    """Return future slots."""
    made = table("TASK", "AT", "ZONE", "UTC")
    for value in values:
        wall = value.local
        made.add_row(value.task, f"{wall:%a %Y-%m-%d %H:%M:%S}", f"{wall:%Z}", f"{value.at:%Y-%m-%d %H:%M:%S}")
    return made


def runs(values: Iterable[Run], commits: Mapping[str, Commit] | None = None) -> RenderableType:
    """Return runs as they are given; with who changed what, where the commits are given."""
    headers = ("RUN", "TASK", "STATUS", "TRIGGER", "SLOT", "STARTED", "TOOK", "TRIES", "COMMIT", "REASON")
    made = table(*headers, *(() if commits is None else ("CHANGE",)))
    for value in values:
        found = None if commits is None else commits.get(value.commit or "")
        zone = load_zone(value.timezone)
        took = value.duration_seconds
        made.add_row(
            str(value.run_id),
            Text(value.task),
            _status(value),
            value.trigger,
            local(value.scheduled_for, zone),
            "-" if value.started_at is None else f"{value.started_at.astimezone(zone):%Y-%m-%d %H:%M:%S}",
            "" if took is None else f"{took:.1f}s",
            str(value.attempts),
            (value.commit or "-")[:SHORT],
            Text(plain(value.reason or "")),
            *(() if found is None else (Text(plain(found.change())),)),
        )
    return made


def run_details(value: RunDetails, commits: Mapping[str, Commit]) -> Iterator[RenderableType]:
    """Yield all that is known of a run: facts, what it printed, where it failed."""
    run = value.run
    facts = table("", "")
    facts.show_header = False
    for name, fact in (*_facts(run), *_commit_facts(run, commits)):
        facts.add_row(Text(name, "bold"), fact)
    yield facts
    for attempt in value.attempts:
        if len(value.attempts) > 1:
            yield Text(f"\nattempt {attempt.number}: {_attempt_in_words(attempt, run.timezone)}", "bold")
        yield from _printed(attempt)


def _attempt_in_words(attempt: AttemptRecord, zone: str) -> str:
    began = f"{attempt.started_at.astimezone(load_zone(zone)):%Y-%m-%d %H:%M:%S %Z}"
    reason = f": {plain(attempt.reason)}" if attempt.reason else ""
    return f"{attempt.status}, started {began}{reason}"


def _printed(attempt: AttemptRecord) -> Iterator[RenderableType]:
    if attempt.output:
        yield Text("\noutput", "bold")
        yield Text(attempt.output.decode("utf-8", "replace").rstrip("\n"))
    if attempt.traceback and attempt.traceback.encode("utf-8", "replace") not in attempt.output:
        yield Text("\ntraceback", "bold")
        yield Text(attempt.traceback.rstrip("\n"))


def _facts(run: Run) -> Iterator[tuple[str, Text]]:
    where = load_zone(run.timezone)
    yield "run", Text(str(run.run_id))
    yield "task", Text(run.task)
    yield "status", _status(run)
    if run.reason:
        yield "reason", Text(plain(run.reason))
    if run.error is not None and run.error.file:
        yield "at", Text(f"{run.error.file}:{run.error.line}")
    yield "trigger", Text(run.trigger)
    yield "slot", Text(local(run.scheduled_for, where))
    for name, moment in (("started", run.started_at), ("finished", run.finished_at)):
        if moment is not None:
            yield name, Text(f"{moment.astimezone(where):%Y-%m-%d %H:%M:%S %Z}")
    if run.duration_seconds is not None:
        yield "took", Text(f"{run.duration_seconds:.1f}s")
    if run.missed:
        yield "missed", Text(f"{run.missed} older slots")
    yield from _attempt_facts(run)


def _commit_facts(run: Run, commits: Mapping[str, Commit]) -> Iterator[tuple[str, Text]]:
    yield "commit", Text(run.commit or "-")
    found = commits.get(run.commit or "")
    if found is not None:
        yield "change", Text(plain(found.change()))
        if found.url is not None:
            yield "page", Text(found.url)


def _attempt_facts(run: Run) -> Iterator[tuple[str, Text]]:
    if run.attempts > 1:
        yield "attempts", Text(str(run.attempts))
    if run.due_at is not None and run.attempts:
        yield "next attempt", Text(f"{run.due_at.astimezone(load_zone(run.timezone)):%Y-%m-%d %H:%M:%S %Z}")
    if run.exit_code is not None:
        yield "exit code", Text(str(run.exit_code))
    if run.signal is not None:
        yield "signal", Text(str(run.signal))


def rehearsal(value: Rehearsal) -> RenderableType:
    """Return what a tick would do."""
    made = table("TASK", "WOULD RUN", "SLOT", "WHY")
    for verdict in value.verdicts:
        slot = local(verdict.slot, load_zone(verdict.timezone))
        made.add_row(
            Text(verdict.task),
            Text("yes", "green") if verdict.would_run else Text("no"),
            slot,
            Text(verdict.reason),
        )
    return made


def problems(values: Sequence[Problem]) -> Iterator[RenderableType]:
    """Yield the problems, each with its hint."""
    for value in values:
        yield Text(str(value), "red" if value.is_error() else "yellow")
        if value.hint:
            yield Text(f"    hint: {value.hint}")


def status(value: Status, uncommitted: Sequence[str], now: datetime) -> Iterator[RenderableType]:
    """Yield how everything is."""
    facts = table("", "")
    facts.show_header = False
    commit = (value.origin.commit or "-")[:SHORT]
    facts.add_row("commit", f"{commit} ({value.origin.ref})")
    if value.following is not None:
        facts.add_row("remote", _remote(value.following))
    facts.add_row("tasks", f"{value.active} active, {value.inactive} inactive, {len(value.invalid)} invalid")
    if value.next_slot is not None:
        task, slot, wall = value.next_slot
        facts.add_row("next", f"{task} at {wall} (in {rough(max(0.0, (slot - now).total_seconds()))})")
    ended = ", ".join(f"{count} {name}" for name, count in sorted(value.counts.since.items()))
    facts.add_row("last 24 h", ended or "no runs")
    for number, said in enumerate(value.clock):
        facts.add_row("" if number else "clock", Text(said, "yellow"))
    yield facts
    yield from _sections(value)
    if uncommitted:
        yield Text(f"\nuncommitted, not run: {', '.join(uncommitted)}", "yellow")
    if value.unread:
        few = "; ".join(f"{path}: {why}" for path, why in value.unread[:_FEW])
        more = f"; and {len(value.unread) - _FEW} more (see --json)" if len(value.unread) > _FEW else ""
        yield Text(f"\nnot read: {few}{more}")


def _remote(value: Following) -> Text:
    """Return how far what runs is behind, since when, and why."""
    remote = value.remote
    said = "never fetched yet" if remote.fetched_at is None else f"fetched {_at(remote.fetched_at)}"
    if value.behind:
        said += f"; {value.behind} commit{'' if value.behind == 1 else 's'} behind what was fetched"
    if remote.failing_since is not None:
        said += f"; fetching fails since {_at(remote.failing_since)}: {plain(remote.failure or '')}"
    if remote.stuck_since is not None:
        said += f"; the last known commit goes on since {_at(remote.stuck_since)}: {plain(remote.stuck or '')}"
    return Text(said, "red" if remote.failing_since or remote.stuck_since else "")


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _sections(value: Status) -> Iterator[RenderableType]:
    if value.running:
        yield Text("\nrunning", "bold")
        yield runs(value.running)
    for run_id, said in value.unanswered:
        yield Text(f"run {run_id}: {said} (`runner cancel {run_id}` ends it)", "red")
    if value.failing:
        yield Text("\nfailing", "bold")
        yield runs(value.failing)
    for item in value.degraded:
        valid, invalid = item.valid_commit[:SHORT], item.invalid_commit[:SHORT]
        yield Text(f"\ndegraded: {item.task} is invalid since {invalid}; the version of {valid} goes on", "red")
    if value.problems:
        yield Text("\nproblems", "bold")
        yield from problems(value.problems)


def _status(run: Run) -> Text:
    return Text(run.state_in_words(), _COLOURS.get(run.status, ""))
