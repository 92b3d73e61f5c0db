"""Why a task ran or did not run at a time, in sentences: from its schedule, git and the records in the store."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from runner import planning
from runner.model import event
from runner.model.commit import SHORT
from runner.model.run import Run
from runner.model.statuses import RUNNING, SKIPPED
from runner.model.stored import StoredTask
from runner.model.task import path_of
from runner.operations.absent import absence
from runner.operations.checkout import forgotten
from runner.operations.lookup import known_task
from runner.operations.ticking.current import in_force
from runner.operations.workspace import Workspace
from runner.repo import log
from runner.schedule.localtime import load_zone, resolve
from runner.store import catalogs, events, history
from runner.store.database import reading
from runner.store.events import Event
from runner.store.rows import local_text
from runner.store.session import Reading
from runner.value import Value

#: A tick that is later than this counts as missing.
_LATE = timedelta(minutes=2)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)

UNSEEN, GONE, INVALID, INACTIVE = "not_yet_seen", "gone", "invalid", "inactive"
RAN, SKIPPED_SLOT, MISSED, OVERDUE, NOT_DUE, NO_SLOT = "ran", "skipped", "missed", "no_tick", "not_due", "no_slot_left"


class Why(Value):
    """The answer for one instant: `cause` for programs, `sentences` for people.

    `run` is the run that the answer is about, None where there is none. The slots are the ones before and after the
    instant, None where there are none.
    """

    task: str
    at: datetime
    timezone: str
    cause: str
    sentences: tuple[str, ...]
    run: Run | None = None
    previous_slot: datetime | None = None
    next_slot: datetime | None = None


class _Case(Value):
    """The question, and what the answer is derived from. `is_past` says that the question is about the past."""

    store: Reading
    root: str
    commit: str
    task: StoredTask
    at: datetime
    now: datetime

    @property
    def is_past(self) -> bool:
        return self.at < planning.minute_of(self.now)

    def local(self, moment: datetime) -> str:
        """Return an instant on the task's wall clock."""
        return f"{moment:%Y-%m-%d %H:%M UTC}" if self.task.spec is None else local_text(moment, self.task.spec)


def why(workspace: Workspace, task_id: str, at: datetime | None, now: datetime) -> Why:
    """Return why a task ran or did not run at a time, by default now. A naive time is on the task's wall clock.

    Raises UsageError, RunnerError.
    """
    with in_force(workspace, now) as tasks, reading(workspace.database) as store:
        found = catalogs.find_task(tasks, task_id)
        if found is None or found.is_only_tried:
            reason = absence(workspace.root, catalogs.source(tasks).ref, task_id)
            if reason is not None:
                return Why(task_id, now, "UTC", UNSEEN, (f"{reason.message}.", f"What to do: {reason.hint}."))
        task = known_task(tasks, task_id, workspace.root)
        zone = "UTC" if task.spec is None else task.spec.timezone
        instant = now if at is None else resolve(at, load_zone(zone)) if at.tzinfo is None else at.astimezone(UTC)
        case = _Case(store, workspace.root, catalogs.source(tasks).commit or "", task, instant, now)
        cause, run, sentences = _answer(case)
        before, after = _slots(case)
        return Why(
            task.id, case.at, zone, cause, (*sentences, *_clock(case), *_edits(workspace, task)), run, before, after
        )


def _edits(workspace: Workspace, task: StoredTask) -> Iterator[str]:
    """Yield a sentence where the file of the task has uncommitted edits, which no tick runs."""
    found = forgotten(workspace, task.id)
    if found is not None:
        yield f"{found}."


def _clock(case: _Case) -> Iterator[str]:
    """Yield a sentence for each change of the clock that a tick found within a day of the instant."""
    for found in events.of_clock(case.store, case.at - _DAY):
        if found.at <= case.at + _DAY:
            yield f"At {case.local(found.at)} a tick found that {found.detail}."


def _slots(case: _Case) -> tuple[datetime | None, datetime | None]:
    """Return the slots before and after the instant, by the schedule in force.

    There is no slot before the task was first seen.
    """
    task = case.task
    if task.spec is None or not task.active or task.blob is None:
        return None, None
    schedule = task.spec.schedule(task.state.anchor)
    since = (task.state.anchor or case.at) - _MICROSECOND
    return schedule.latest(since, case.at), schedule.after(case.at)


def _answer(case: _Case) -> tuple[str, Run | None, list[str]]:
    known = _on_record(case)
    if known is not None:
        return known
    stretch = _stretch(case) if case.is_past else None
    if stretch is not None:
        cause, sentences = stretch
        return cause, None, sentences
    file_state = list(_file_state(case))
    if case.task.blob is None:
        return GONE, None, file_state
    if case.task.spec is None:
        return INVALID, None, file_state
    if not case.task.active:
        return INACTIVE, None, file_state
    cause, sentences = _by_schedule(case)
    return cause, None, [*file_state, *sentences]


#: Events that begin a stretch in which a task does not run, events that end it, the cause, and words for a sentence.
_STRETCHES = (
    (event.REMOVED, (event.RETURNED, event.ADDED), GONE, "Its file", "gone"),
    (event.DEACTIVATED, (event.ACTIVATED,), INACTIVE, "It", "inactive"),
)


def _stretch(case: _Case) -> tuple[str, list[str]] | None:
    """Return the cause and sentences where the task did not exist, was gone or was inactive then; else None."""
    happened = events.of_task(case.store, case.task.key)
    minute_ends = planning.minute_of(case.at) + _MINUTE
    if happened and happened[0].kind == event.ADDED and happened[0].at >= minute_ends:
        seen = f"It was first seen active at {case.local(case.task.state.anchor)}." if case.task.state.anchor else ""
        return UNSEEN, [*filter(None, [seen]), f"The task did not exist before {_when(case, happened[0])}."]
    for begins, ends, cause, subject, state in _STRETCHES:
        marks = [found for found in happened if found.kind in {begins, *ends}]
        before = [found for found in marks if found.at < minute_ends]
        if before and before[-1].kind == begins:
            after = marks[len(before) :]
            since = _when(case, before[-1])
            if not after:
                return cause, [f"{subject} has been {state} since {since}."]
            return cause, [f"{subject} was {state} from {since} until {_when(case, after[0])}."]
    return None


def _when(case: _Case, found: Event) -> str:
    commit = log.commits(case.root, [found.commit]).get(found.commit) if found.commit else None
    by = "" if commit is None else f" (commit {commit.in_words()})"
    return f"{case.local(found.at)}{by}"


def _on_record(case: _Case) -> tuple[str, Run | None, list[str]] | None:
    """Return what is on record of the slot: its run, why it was skipped, or which later run covers it; else None."""
    run = history.run_at(case.store, case.task.key, case.at)
    if run is not None and _is_about(case, run):
        return (SKIPPED_SLOT if run.status == SKIPPED else RAN), run, _of_record(case, run)
    later = history.run_after(case.store, case.task.key, case.at)
    if later is not None and later.missed and _is_covered(case, run, later):
        _, _, decided_at = history.stretch(case.store, later.run_id)
        last = history.decided_before(case.store, decided_at)
        gap = "" if last is None else f": no tick decided anything from {case.local(last)} to {case.local(decided_at)}"
        slots = "1 older slot" if later.missed == 1 else f"{later.missed} older slots"
        covers = f"Run {later.run_id} of {case.local(_slot(later))} covers {slots}"
        return MISSED, later, [f"No tick ran in time for that slot{gap}.", f"{covers}: {later.reason}."]
    return None


def _is_about(case: _Case, run: Run) -> bool:
    """Return whether a run is about the instant: by its minute, by its stretch, or because it is still under way."""
    through, _, _ = history.stretch(case.store, run.run_id)
    return run.status == RUNNING or planning.minute_of(case.at) <= (through or _slot(run))


def _is_covered(case: _Case, before: Run | None, later: Run) -> bool:
    """Return whether the minute of the instant has a slot that was missed."""
    spec = case.task.spec
    if spec is None:
        return False
    minute = planning.minute_of(case.at)
    slot = spec.schedule(case.task.state.anchor).latest(
        minute - _MICROSECOND, minute + timedelta(minutes=1) - _MICROSECOND
    )
    return slot is not None and slot < _slot(later) and (before is None or _slot(before) < slot)


def _slot(run: Run) -> datetime:
    assert run.scheduled_for is not None  # noqa: S101 - these runs were found by their slots
    return run.scheduled_for


def _of_record(case: _Case, run: Run) -> list[str]:
    slot = case.local(_slot(run))
    if run.status != SKIPPED:
        return list(_of_run(case, run, slot))
    through, blocked_by, _ = history.stretch(case.store, run.run_id)
    until = "" if through is None or through == run.scheduled_for else f" to {case.local(through)}"
    what = f"The slot of {slot}" if not until else f"The slots of {slot}{until}"
    sentences = [f"{what} did not run: {run.reason}."]
    if blocked_by is not None:
        sentences.append(f"`runner show {blocked_by}` shows the run that prevented it.")
    return sentences


def _of_run(case: _Case, run: Run, slot: str) -> Iterator[str]:
    state = run.state_in_words()
    yield f"Run {run.run_id} belongs to the slot {slot}: {state}{f' ({run.reason})' if run.reason else ''}."
    if state == "waiting":
        yield "It waits for a concurrency slot, or for another run of the task to end."
    elif run.due_at is not None:
        yield f"Its next attempt may start at {case.local(run.due_at)}."
    commit = log.commits(case.root, [run.commit]).get(run.commit) if run.commit else None
    if commit is not None:
        yield f"It is from commit {commit.in_words()}."


def _file_state(case: _Case) -> Iterator[str]:
    """Yield sentences about the file of the task in the commit in force."""
    task, path = case.task, path_of(case.task.id)
    commit = case.commit
    if task.blob is None:
        last = log.last_touching(case.root, commit, path)
        yield "Its file is gone." if last is None else f"Its file has been gone since commit {last.in_words()}."
    elif task.spec is None:
        yield f"Its file {path} was never valid: `runner validate {path}` says what to fix."
    elif task.invalid_commit is not None:
        valid = (task.valid_commit or "")[:SHORT]
        invalid = task.invalid_commit[:SHORT]
        yield f"Its file has been invalid since commit {invalid}; the version of commit {valid} stays in use."
    if task.blob is not None and task.spec is not None and not task.active:
        last = log.last_touching(case.root, commit, path, "^active:")
        yield "It is inactive." if last is None else f"It has been inactive since commit {last.in_words()}."


def _by_schedule(case: _Case) -> tuple[str, list[str]]:
    """Return the cause and sentences by the schedule, for an instant of which nothing is on record."""
    task, state = case.task, case.task.state
    first = state.anchor
    if case.is_past and first is not None and state.last_run_slot is None and case.at < first:
        return UNSEEN, [f"It was first seen active at {case.local(first)}."]
    if state.next_slot is None:
        return NO_SLOT, ["Its schedule has no slot left."]
    due = state.next_slot + task.offset
    if due <= case.at and due < case.now - _LATE:
        last = history.decided_before(case.store, case.now)
        since = "" if last is None else f"; the last slot of any task was decided at {case.local(last)}"
        ask = "Does cron call `runner tick` every minute?"
        return OVERDUE, [f"It has been due since {case.local(due)}, and no tick has run{since}.", ask]
    if due <= case.at:
        return OVERDUE, [f"It has been due since {case.local(due)}: the next tick starts it."]
    return NOT_DUE, list(_around(case, due))


def _around(case: _Case, due: datetime) -> Iterator[str]:
    before, after = _slots(case)
    last = history.run_at(case.store, case.task.key, case.at)
    if before is not None:
        of_run = (
            "" if last is None or last.scheduled_for != before else f" (run {last.run_id}, {last.state_in_words()})"
        )
        yield f"It has no slot at that time: the previous slot was {case.local(before)}{of_run}."
    if case.is_past and after is not None:
        yield f"The next slot was {case.local(after)}."
    else:
        yield f"It is not due before {case.local(due)}."
