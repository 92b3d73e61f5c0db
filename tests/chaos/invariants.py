"""What must hold once a storm is over. Each check yields what is wrong, in words."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.planning import MOST_CAUGHT_UP, MOST_MISSED
from tests.chaos import processes

_MINUTE = 60_000
#: From here on `missed` no longer says how many there were, but that they are no longer counted.
_UNCOUNTED = MOST_MISSED - MOST_CAUGHT_UP - 1


@dataclass(frozen=True)
class Sighting:
    """An execution of a task's code, as the witness saw it; `slot` is None for a run by hand."""

    key: str
    slot: str | None
    attempt: int
    run_id: int


@dataclass(frozen=True)
class Evidence:
    """The store, and what was witnessed."""

    store: sqlite3.Connection
    state: Path
    seen: list[Sighting]
    overlaps: list[str]
    #: The last run that was there before the storm: of it and those before it nothing was witnessed.
    before: int = 0

    def went_back(self) -> bool:
        """Return whether a tick found the clock set back: then it counts again slots that were counted before."""
        sql = "SELECT 1 FROM events WHERE kind = 'clock_set_back' LIMIT 1"
        return self.store.execute(sql).fetchone() is not None


@dataclass(frozen=True)
class Stretch:
    """A row's slots, in minutes: `count` of them up to `last`; as many or more where they are no longer counted."""

    run_id: int
    last: int
    count: int
    is_exact: bool


def verdict(state: Path, outside: Path, before: int = 0) -> list[str]:
    """Return all that is wrong."""
    seen, overlaps = _read(outside / "witness")
    with closing(sqlite3.connect(state / "runner.db")) as store:
        evidence = Evidence(store, state, seen, overlaps, before)
        return [f"{check.__name__.strip('_').replace('_', ' ')}: {it}" for check in _CHECKS for it in check(evidence)]


def statuses(state: Path) -> Counter[str]:
    """Return how many runs ended how."""
    with closing(sqlite3.connect(state / "runner.db")) as store:
        return Counter(dict(store.execute("SELECT status, count(*) FROM runs GROUP BY status")))


def end_survivors(mark: str) -> Iterator[str]:
    """Yield what is left of a storm, and end it."""
    for pid in processes.marked(mark):
        yield f"a process is left: {processes.words_of(pid)}"
        processes.kill(pid, mark)


def _read(witness: Path) -> tuple[list[Sighting], list[str]]:
    rows = [line.split() for line in witness.read_text().splitlines()]
    seen = [
        Sighting(row[0], None if row[1] == "-" else row[1], int(row[2]), int(row[3])) for row in rows if len(row) == 4
    ]
    return seen, [" ".join(row) for row in rows if len(row) != 4]


def _no_attempt_is_made_twice(evidence: Evidence) -> Iterator[str]:
    for (run_id, attempt), count in Counter((it.run_id, it.attempt) for it in evidence.seen).items():
        if count > 1:
            yield f"attempt {attempt} of run {run_id} was made {count} times"


def _no_slot_is_begun_by_two_runs(evidence: Evidence) -> Iterator[str]:
    runs: dict[tuple[str, str], set[int]] = {}
    for it in evidence.seen:
        if it.slot is not None:
            runs.setdefault((it.key, it.slot), set()).add(it.run_id)
    for (key, slot), ids in runs.items():
        if len(ids) > 1:
            yield f"slot {slot} of {key} by the runs {sorted(ids)}"


def _no_two_runs_of_a_task_overlap_that_forbids_it(evidence: Evidence) -> Iterator[str]:
    yield from evidence.overlaps


def _what_is_witnessed_is_on_record(evidence: Evidence) -> Iterator[str]:
    attempts = set(evidence.store.execute("SELECT run, number FROM attempts"))
    slots = dict(evidence.store.execute("SELECT id, scheduled_for FROM runs WHERE status <> 'skipped'"))
    for it in evidence.seen:
        if it.run_id not in slots:
            yield f"{it}: no run of that number, or a skipped one"
        elif slots[it.run_id] != (None if it.slot is None else int(it.slot) * 1000):
            yield f"{it}: on record for the slot {slots[it.run_id]}"
        elif (it.run_id, it.attempt) not in attempts:
            yield f"{it}: that attempt is not on record"


def _what_succeeded_was_witnessed(evidence: Evidence) -> Iterator[str]:
    seen = {(it.run_id, it.attempt) for it in evidence.seen}
    for pair in evidence.store.execute("SELECT run, number FROM attempts WHERE status = 'succeeded'"):
        if pair not in seen and pair[0] > evidence.before:
            yield f"run {pair[0]}, attempt {pair[1]}"


def _attempts_fit_their_runs(evidence: Evidence) -> Iterator[str]:
    sql = "SELECT run, number, status FROM attempts ORDER BY run, number"
    attempts: dict[int, list[str]] = {}
    for run_id, number, status in evidence.store.execute(sql):
        attempts.setdefault(run_id, []).append(status)
        if len(attempts[run_id]) != number:
            yield f"run {run_id} has no attempt {number - 1}"
    sql = "SELECT id, status, attempts, reason FROM runs"
    for run_id, status, count, reason in evidence.store.execute(sql):
        of_it = attempts.get(run_id, [])
        if len(of_it) != count:
            yield f"run {run_id} ({status}) has {count} attempts, and {len(of_it)} on record"
        if "succeeded" in of_it[:-1] or "running" in of_it:
            yield f"run {run_id} ({status}) has attempts {of_it}"
        # Between attempts a run can be cancelled; and what could not be started has none.
        if status != "cancelled" and of_it and of_it[-1] != status:
            yield f"run {run_id} is {status} after {of_it}"
        if status != "cancelled" and not of_it and not _may_have_none(status, reason):
            yield f"run {run_id} is {status} ({reason}) without any attempt"


def _may_have_none(status: str, reason: str) -> bool:
    # A run by hand whose owner is gone before it began is not taken up by others: who wanted it then may not want it
    # now.
    said = {"failed": "could not be started", "lost": "the run had not started"}
    return status == "skipped" or (status in said and said[status] in reason)


def _nothing_is_under_way(evidence: Evidence) -> Iterator[str]:
    sql = "SELECT id, supervisor, due_at, attempts, reason FROM runs WHERE status = 'running'"
    for row in evidence.store.execute(sql):
        yield str(row)


def _every_slot_of_a_steady_task_is_on_record(evidence: Evidence) -> Iterator[str]:
    tasks = evidence.store.execute("SELECT key, id, watermark FROM tasks WHERE id LIKE 'steady/%'").fetchall()
    if len(tasks) < 2:
        yield f"only {len(tasks)} steady tasks are known"
    newest = max((watermark for *_, watermark in tasks), default=0)
    for key, task_id, watermark in tasks:
        if watermark != newest:
            yield f"{task_id} was decided up to {watermark}, and others up to {newest}"
        stretches = _stretches(evidence.store, key)
        gaps = _overlapping_gaps(stretches) if evidence.went_back() else _gaps(stretches)
        yield from (f"{task_id}: {it}" for it in gaps)
        if max(stretch.last for stretch in stretches) != watermark // _MINUTE:
            yield f"{task_id}: decided up to minute {watermark // _MINUTE}, which is not on record"


def _stretches(store: sqlite3.Connection, key: int) -> list[Stretch]:
    sql = "SELECT id, scheduled_for, coalesce(through, scheduled_for), missed FROM runs WHERE task = ? AND scheduled_for > 0"
    found = set()
    for run, slot, through, missed in store.execute(sql, (key,)):
        for last in (slot, through) if through < slot else (through,):
            found.add(Stretch(run, last // _MINUTE, missed + 1, missed < _UNCOUNTED))
    return sorted(found, key=lambda stretch: stretch.last)


def _gaps(stretches: list[Stretch]) -> Iterator[str]:
    """Yield where slots follow that nobody has decided, or that were decided twice."""
    for before, it in itertools.pairwise(stretches):
        gap = it.last - before.last
        if gap != it.count if it.is_exact else gap < it.count:
            yield f"run {it.run_id} stands for {it.count} slots up to minute {it.last}, and {gap} were to be decided"


def _overlapping_gaps(stretches: list[Stretch]) -> Iterator[str]:
    """Yield where slots follow that nobody has decided; what was ahead of a wrong clock may be on record again.

    A clock that was set back beyond the first tick leaves a gap up to that: nothing is owed from before a task was
    first seen.
    """
    first_seen = min(stretches, key=lambda stretch: stretch.run_id).last
    spans = sorted((it.last - it.count + 1 if it.is_exact else 0, it.last) for it in stretches)
    reach = spans[0][1]
    for first, last in spans[1:]:
        if first > reach + 1 and first > first_seen:
            yield f"nothing is on record between the minutes {reach} and {first}"
        reach = max(reach, last)


def _the_database_is_whole(evidence: Evidence) -> Iterator[str]:
    for (said,) in evidence.store.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield str(said)
    for row in evidence.store.execute("PRAGMA foreign_key_check"):
        yield f"a row refers to nothing: {row}"


def _nothing_of_ended_runs_is_left_in_the_state(evidence: Evidence) -> Iterator[str]:
    for name in ("work", "live", "owners"):
        folder = evidence.state / name
        yield from (f"{name}/{path.name}" for path in (folder.iterdir() if folder.exists() else ()))


_CHECKS = (
    _no_attempt_is_made_twice,
    _no_slot_is_begun_by_two_runs,
    _no_two_runs_of_a_task_overlap_that_forbids_it,
    _what_is_witnessed_is_on_record,
    _what_succeeded_was_witnessed,
    _attempts_fit_their_runs,
    _nothing_is_under_way,
    _every_slot_of_a_steady_task_is_on_record,
    _the_database_is_whole,
    _nothing_of_ended_runs_is_left_in_the_state,
)
