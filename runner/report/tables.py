"""Values as tables, facts and lines, for people.

The layouts say what is cut or dropped on a narrow terminal; docs/screens.md describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from runner.model.commit import SHORT, Commit
from runner.model.problem import Problem
from runner.model.run import AttemptRecord, Run, RunDetails
from runner.model.statuses import FAILED, LOST, RETRYING, RUNNING, SUCCEEDED, TIMED_OUT, WAITING
from runner.operations.ticking.idle import followed
from runner.report.context_text import context_facts, rehearsal_facts
from runner.report.facts import Facts
from runner.report.table import Layout, Table, plain
from runner.report.tick_text import local, moved_lines, second
from runner.report.verdict import next_in_words, verdict
from runner.schedule.localtime import load_zone
from runner.value import Value, replace

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.asking.dry_run import DryRun
    from runner.operations.asking.next_slots import UpcomingSlot
    from runner.operations.asking.status import Following, Status
    from runner.operations.asking.task_list import Entry
    from runner.operations.checkout import Edits
    from runner.store.catalogs import Source


_COLOURS = {
    SUCCEEDED: "green",
    **dict.fromkeys((FAILED, TIMED_OUT, LOST), "red"),
    **dict.fromkeys((RUNNING, WAITING, RETRYING), "cyan"),
}
_LIST = Layout(
    columns=("TASK", "STATE", "SCHEDULE", "ZONE", "NEXT", "LAST RUN", "AT", "DESCRIPTION"),
    name="TASK",
    cut=("DESCRIPTION", "SCHEDULE"),
    drop=("DESCRIPTION", "ZONE", "SCHEDULE", "AT"),
    colours={"STATE": dict.fromkeys(("invalid", "degraded"), "red"), "LAST RUN": _COLOURS},
)
_NEXT = Layout(columns=("TASK", "AT", "ZONE", "UTC"), name="TASK", drop=("UTC",))
_RUNS = Layout(
    columns=("RUN", "TASK", "STATUS", "TRIGGER", "SLOT", "WHEN", "TOOK", "TRIES", "COMMIT", "REASON"),
    name="TASK",
    cut=("REASON",),
    drop=("TRIES", "COMMIT", "TRIGGER", "SLOT", "TOOK", "REASON"),
    colours={"STATUS": _COLOURS},
)
_RUNS_OF_COMMITS = replace(
    _RUNS, columns=(*_RUNS.columns, "CHANGE"), cut=("CHANGE", "REASON"), drop=("CHANGE", *_RUNS.drop)
)
_DRY_RUN = Layout(
    columns=("TASK", "WOULD RUN", "SLOT", "WHY"), name="TASK", cut=("WHY",), colours={"WOULD RUN": {"yes": "green"}}
)

#: How many of the files that are not read are named.
_FEW = 5


class Line(Value):
    """One or more lines of text. `colour` is a colour or `bold`, empty for none."""

    text: str
    colour: str = ""


#: What a screen is made of.
Part = Table | Facts | Line


def some(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    more = len(names) - _FEW
    return f"{', '.join(names[:_FEW])} and {more} more" if more > 0 else ", ".join(names)


def entries(values: Iterable[Entry]) -> Table:
    """Return the list of tasks."""
    return Table(_LIST, [_entry(value) for value in values])


def _entry(value: Entry) -> tuple[str, ...]:
    spec, last = value.schedule, value.last_run
    return (
        value.id,
        value.state,
        spec.in_words() if spec else "-",
        spec.timezone if spec else "-",
        local(value.next_due, spec.zone()) if spec else "-",
        last.state_in_words() if last else "-",
        local(last.started_at or last.scheduled_for or last.finished_at, load_zone(last.timezone)) if last else "-",
        plain(value.description),
    )


def upcoming_slots(values: Iterable[UpcomingSlot]) -> Table:
    """Return future slots."""
    return Table(_NEXT, [_upcoming_slot(value.task, value.local, value.at) for value in values])


def _upcoming_slot(task: str, wall: datetime, at: datetime) -> tuple[str, ...]:
    return task, f"{wall:%a %Y-%m-%d %H:%M:%S}", f"{wall:%Z}", f"{at:%Y-%m-%d %H:%M:%S}"


def runs(values: Iterable[Run], commits: Mapping[str, Commit] | None = None) -> Table:
    """Return a table of runs, in the given order. Where `commits` is given, it says who changed what in a commit."""
    if commits is None:
        return Table(_RUNS, [_run(value) for value in values])
    return Table(_RUNS_OF_COMMITS, [(*_run(value), _change(commits.get(value.commit or ""))) for value in values])


def _run(value: Run) -> tuple[str, ...]:
    zone = load_zone(value.timezone)
    took = value.duration_seconds
    return (
        str(value.run_id),
        value.task,
        value.state_in_words(),
        value.trigger,
        local(value.scheduled_for, zone),
        local(value.scheduled_for, zone) if value.started_at is None else second(value.started_at, zone),
        "" if took is None else f"{took:.1f}s",
        str(value.attempts),
        (value.commit or "-")[:SHORT],
        plain(value.reason or ""),
    )


def _change(found: Commit | None) -> str:
    return "" if found is None else plain(found.change())


def run_details(value: RunDetails, commits: Mapping[str, Commit]) -> Iterator[Part]:
    """Yield the parts of `show`: the facts of a run, then the output and the traceback of each attempt."""
    run = value.run
    last = value.attempts[-1] if value.attempts else None
    of_context = [] if last is None else [*context_facts(last.context), *rehearsal_facts(last.rehearsal)]
    yield Facts([*_facts(run), *of_context, *_commit_facts(run, commits)])
    for attempt in value.attempts:
        if len(value.attempts) > 1:
            yield Line(f"\nattempt {attempt.number}: {_attempt_in_words(attempt, load_zone(run.timezone))}", "bold")
        yield from _printed(attempt)


def _attempt_in_words(attempt: AttemptRecord, zone: tzinfo) -> str:
    reason = f": {plain(attempt.reason)}" if attempt.reason else ""
    return f"{attempt.status}, started {second(attempt.started_at, zone)}{reason}"


def _printed(attempt: AttemptRecord) -> Iterator[Line]:
    if attempt.output:
        yield Line("\noutput", "bold")
        yield Line(attempt.output.decode("utf-8", "replace").rstrip("\n"))
    if attempt.traceback and attempt.traceback.encode("utf-8", "replace") not in attempt.output:
        yield Line("\ntraceback", "bold")
        yield Line(attempt.traceback.rstrip("\n"))


def _facts(run: Run) -> Iterator[tuple[str, str, str]]:
    where = load_zone(run.timezone)
    yield "run", str(run.run_id), ""
    yield "task", run.task, ""
    yield "status", run.state_in_words(), _COLOURS.get(run.state_in_words(), "")
    if run.reason:
        yield "reason", plain(run.reason), ""
    if run.error is not None and run.error.file:
        yield "at", f"{run.error.file}:{run.error.line}", ""
    yield "trigger", run.trigger, ""
    yield "slot", local(run.scheduled_for, where), ""
    for name, moment in (("started", run.started_at), ("finished", run.finished_at)):
        if moment is not None:
            yield name, second(moment, where), ""
    if run.duration_seconds is not None:
        yield "took", f"{run.duration_seconds:.1f}s", ""
    if run.missed:
        yield "missed", f"{run.missed} older slot{'' if run.missed == 1 else 's'}", ""
    yield from _attempt_facts(run)


def _commit_facts(run: Run, commits: Mapping[str, Commit]) -> Iterator[tuple[str, str, str]]:
    yield "commit", run.commit or "-", ""
    found = commits.get(run.commit or "")
    if found is not None:
        yield "change", _change(found), ""
        if found.url is not None:
            yield "page", found.url, ""


def _attempt_facts(run: Run) -> Iterator[tuple[str, str, str]]:
    if run.attempts > 1:
        yield "attempts", str(run.attempts), ""
    if run.due_at is not None and run.attempts:
        yield "next attempt", second(run.due_at, load_zone(run.timezone)), ""
    if run.exit_code is not None:
        yield "exit code", str(run.exit_code), ""
    if run.signal is not None:
        yield "signal", str(run.signal), ""


def dry_run(value: DryRun) -> Table:
    """Return what a tick would do."""
    rows = [
        (it.task, "yes" if it.would_run else "no", local(it.slot, load_zone(it.timezone)), plain(it.reason))
        for it in value.verdicts
    ]
    return Table(_DRY_RUN, rows)


def problems(values: Sequence[Problem]) -> Iterator[Line]:
    """Yield the problems, each with its hint."""
    for value in values:
        yield Line(str(value), "red" if value.is_error() else "yellow")
        if value.hint:
            yield Line(f"    hint: {value.hint}")


def status(value: Status, edits: Edits, now: datetime) -> Iterator[Part]:
    """Yield the parts of `status`, first the line that says what is wrong, or that all is well."""
    yield Line(verdict(value, now), "bold")
    yield Facts([*_status_facts(value, now)])
    if value.moved is not None:
        yield from (Line(line, "yellow") for line in moved_lines(value.moved))
    yield from _sections(value)
    if edits.uncommitted:
        yield Line(f"\nuncommitted, not run: {some(edits.uncommitted)}", "yellow")
    if edits.never:
        yield Line("\nnever committed", "bold")
        yield from problems(edits.never)
    # Data files beside the tasks are usual. A file whose name nearly ends in .yaml may be a mistake.
    unread = [(path, why) for path, why in value.unread if "yaml" in path.lower() or "yml" in path.lower()]
    if unread:
        named = "; ".join(f"{path}: {why}" for path, why in unread[:_FEW])
        more = f"; and {len(unread) - _FEW} more (see --json)" if len(unread) > _FEW else ""
        yield Line(f"\nnot read: {named}{more}")


def _status_facts(value: Status, now: datetime) -> Iterator[tuple[str, str, str]]:
    yield "commit", f"{(value.source.commit or '-')[:SHORT]} ({_followed(value.source)})", ""
    if value.following is not None:
        remote = value.following.remote
        yield "remote", _remote(value.following), "red" if remote.failing_since or remote.stuck_since else ""
    yield "tasks", f"{value.active} active, {value.inactive} inactive, {len(value.invalid)} invalid", ""
    if value.next_slot is not None:
        yield "next", next_in_words(value, now), "" if value.overdue is None else "red"
    if value.last_decided is not None:
        yield "last tick", f"{local(value.last_decided, UTC)} (the last one that had something to decide)", ""
    counts = ", ".join(f"{count} {name}" for name, count in sorted(value.counts.since.items()))
    yield "last 24 h", counts or "no runs", ""
    for number, sentence in enumerate(value.clock):
        yield "" if number else "clock", sentence, "yellow"
    for number, sentence in enumerate(value.building):
        yield "" if number else "packages", sentence, "yellow"
    for number, sentence in enumerate(value.not_held):
        yield "" if number else "sandbox", sentence, "yellow"


def _followed(source: Source) -> str:
    name = followed(source.ref, source.branch)
    return name if name == source.ref else f"HEAD: {name}"


def _remote(value: Following) -> str:
    """Return when the branch was last fetched, how far behind it the tasks are, and what has failed since when."""
    remote = value.remote
    text = "never fetched yet" if remote.fetched_at is None else f"fetched {local(remote.fetched_at, UTC)}"
    if value.behind:
        text += f"; {value.behind} commit{'' if value.behind == 1 else 's'} behind what was fetched"
    if remote.failing_since is not None:
        text += f"; fetching has failed since {local(remote.failing_since, UTC)}: {plain(remote.failure or '')}"
    if remote.stuck_since is not None:
        since = local(remote.stuck_since, UTC)
        text += f"; the last known commit has stayed in use since {since}: {plain(remote.stuck or '')}"
    return text


def _sections(value: Status) -> Iterator[Part]:
    if value.running:
        yield Line("\nrunning", "bold")
        yield runs(value.running)
    for run_id, reason in value.unanswered:
        yield Line(f"run {run_id}: {reason} (`runner cancel {run_id}` ends it)", "red")
    if value.failing:
        yield Line("\nfailing", "bold")
        yield runs(value.failing)
    for item in value.degraded:
        valid, invalid = item.valid_commit[:SHORT], item.invalid_commit[:SHORT]
        yield Line(f"\ndegraded: {item.task} has been invalid since {invalid}; the version of {valid} runs", "red")
    if value.problems:
        yield Line("\nproblems", "bold")
        yield from problems(value.problems)
