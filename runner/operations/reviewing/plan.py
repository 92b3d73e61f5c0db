"""What a change would do to each task.

The code of the tick applies the change to a copy of the store in memory; the plan describes the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from runner import planning
from runner.adoption import Adoption
from runner.model import event
from runner.model.change import (
    ACTIVATED,
    ADDED,
    BROKEN,
    CHANGED,
    DEACTIVATED,
    REMOVED,
    RENAMED,
    REPAIRED,
    AtOnce,
    Plan,
    Side,
    TaskChange,
)
from runner.model.problem import REFUSED, Problem
from runner.model.settings import Settings
from runner.model.statuses import WORKTREE
from runner.model.stored import StoredTask
from runner.model.task import Task, path_of
from runner.operations.reviewing import differences, forecast
from runner.operations.reviewing.sides import Candidate, Sides
from runner.operations.workspace import Workspace
from runner.store import catalogs, claims
from runner.store.database import dry_run
from runner.store.session import Deciding, Reading
from runner.value import Value

#: How many starts are shown before and after the change.
FIRES = 5

_MINUTE = timedelta(minutes=1)

#: Events of a task that already has a file, and the kinds of change that a plan calls them.
_KINDS = {
    event.ADDED: REPAIRED,
    event.RECOVERED: REPAIRED,
    event.REMOVED: REMOVED,
    event.RENAMED: RENAMED,
    event.DEGRADED: BROKEN,
    event.ACTIVATED: ACTIVATED,
    event.DEACTIVATED: DEACTIVATED,
    event.CHANGED: CHANGED,
}

#: The settings of one side of the plan, and what changes for each task when a store is brought to that side.
Brought = tuple[Settings, list[Adoption]]
Bring = Callable[[Deciding, datetime], Brought]


class PlanInputs(Value):
    """What a plan compares: the names of both sides, and functions that bring a store to a side.

    The name of the base is empty where the base is what is in force.
    """

    base: str
    head: str
    bring_base: Bring
    bring_head: Bring
    remarks: tuple[str, ...] = ()


class _TaskSide(Value):
    """A task on one side: its row in the store, and its definition. None where it never had a valid file."""

    stored: StoredTask | None
    task: Task | None


class _Change(Value):
    """What changes for a task, the task on both sides, its runs under way, and notes for the reader."""

    adoption: Adoption
    old: _TaskSide
    new: _TaskSide
    running: tuple[int, ...]
    notes: tuple[str, ...]


def plan(workspace: Workspace, inputs: PlanInputs, now: datetime, count: int = FIRES) -> Plan:
    """Return what would change if the head were in force now. Writes nothing. Raises RunnerError."""
    return plan_and_sides(workspace, inputs, now, count)[0]


def plan_and_sides(workspace: Workspace, inputs: PlanInputs, now: datetime, count: int = FIRES) -> tuple[Plan, Sides]:
    """Return the plan, and what its rehearsals need. Raises RunnerError."""
    with dry_run(workspace.database) as session:
        knows_state = catalogs.source(session).commit is not None
        old_settings, _ = inputs.bring_base(session, now)
        base = _side(session, inputs.base)
        old_problems = catalogs.problems(session)
        new_settings, adoptions = inputs.bring_head(session, now)
        head = _side(session, inputs.head)
        problems = catalogs.problems(session)
        refused = {problem.file for problem in problems if problem.code == REFUSED}
        changes = [_change(session, adoption, now, refused) for adoption in adoptions if adoption.kinds]
    shown = [it for change in changes if (it := _task_change(change, now, count, knows_state=knows_state)) is not None]
    sides = Sides(old_settings, new_settings, tuple(_candidates(changes)))
    return Plan(
        base,
        head,
        now,
        knows_state,
        tuple(sorted(shown, key=lambda change: change.id)),
        differences.settings(old_settings, new_settings),
        _new_problems(old_problems, problems),
        inputs.remarks,
    ), sides


def _candidates(changes: list[_Change]) -> Iterator[Candidate]:
    """Yield the tasks whose files are valid on the head."""
    for change in changes:
        stored, task = change.new.stored, change.new.task
        if stored is not None and task is not None and stored.blob is not None and stored.invalid_commit is None:
            yield Candidate(task, stored.blob)


def _side(session: Reading, name: str) -> Side:
    source = catalogs.source(session)
    return Side(name or source.ref, None if source.commit == WORKTREE else source.commit)


def _change(session: Reading, adoption: Adoption, now: datetime, refused: set[str]) -> _Change:
    old = _task_side(session, adoption.before)
    new = _task_side(session, catalogs.find_task(session, adoption.task))
    running = () if new.stored is None else claims.runs_under_way(session, new.stored.key)
    is_refused = path_of(adoption.task) in refused
    notes = _notes(adoption, new, now, is_refused=is_refused)
    return _Change(adoption, old, new, running, (*notes, *_due_together(session, new.stored, running, now)))


def _task_side(session: Reading, stored: StoredTask | None) -> _TaskSide:
    if stored is None or stored.version is None:
        return _TaskSide(stored, None)
    return _TaskSide(stored, catalogs.load_task(session, stored.version, stored.id))


def _notes(adoption: Adoption, new: _TaskSide, now: datetime, *, is_refused: bool) -> Iterator[str]:
    if event.DEGRADED in adoption.kinds:
        why = "its change is refused" if is_refused else "its file is not valid"
        yield f"{why}: " + ("the last valid version stays in use" if new.task is not None else "it does not run")
    if new.stored is not None:
        yield from forecast.clock_changes(new.stored, now)


def _due_together(
    session: Reading, stored: StoredTask | None, running: tuple[int, ...], now: datetime
) -> Iterator[str]:
    """Yield a note where more tasks are due in the minute of the next start than may run at once."""
    first = None if stored is None else next(forecast.starts(stored, running, now), None)
    if stored is None or first is None:
        return
    minute = planning.minute_of(first)
    others = catalogs.others_due(session, stored.key, minute, minute + _MINUTE)
    max_parallel = catalogs.source(session).max_parallel
    if others >= max_parallel:
        tasks = "1 other task is" if others == 1 else f"{others} other tasks are"
        yield f"{tasks} due in the minute of its next start; at most {max_parallel} run at once"


def _task_change(change: _Change, now: datetime, count: int, *, knows_state: bool) -> TaskChange | None:
    """Return a change in the form that reports show; None where there is nothing to show."""
    adoption, old, new = change.adoption, change.old, change.new
    kinds = tuple(_kinds(change))
    if not kinds:
        return None
    is_known = knows_state or not _counts_from_state(change)
    before = (
        None if old.stored is None else forecast.forecast(old.stored, change.running, now, count, is_known=is_known)
    )
    after = None if new.stored is None else forecast.forecast(new.stored, change.running, now, count, is_known=is_known)
    shown_old = old.task if adoption.was_there() else None
    shown_new = new.task if adoption.is_there() else None
    return TaskChange(
        id=adoption.task,
        old_id=adoption.before.id if RENAMED in kinds and adoption.before else None,
        kinds=kinds,
        fields=differences.fields(shown_old, shown_new),
        code=differences.code(shown_old, shown_new),
        capabilities=differences.capabilities(shown_old, shown_new),
        before=before,
        after=after,
        at_once=_at_once(change, now, is_known=is_known),
        notes=change.notes,
    )


def _counts_from_state(change: _Change) -> bool:
    """Return whether the slots of an existing task count from an instant that only a store knows."""
    return change.adoption.was_there() and any(
        side.stored is not None and forecast.counts_from_state(side.stored) for side in (change.old, change.new)
    )


def _kinds(change: _Change) -> Iterator[str]:
    adoption = change.adoption
    if not adoption.was_there():
        yield ADDED
        if event.DEGRADED in adoption.kinds:
            yield BROKEN
        return
    for kind in adoption.kinds:
        if kind == event.CHANGED and not _differs(change.old.task, change.new.task):
            continue
        if kind in _KINDS:
            yield _KINDS[kind]


def _differs(old: Task | None, new: Task | None) -> bool:
    """Return whether a field other than `active` differs. A change of `active` has its own kinds."""
    if old is None or new is None:
        return False
    return old.code != new.code or any(it.name != "active" for it in differences.fields(old, new))


def _at_once(change: _Change, now: datetime, *, is_known: bool) -> AtOnce:
    stored = change.new.stored
    if stored is None or not change.adoption.is_there():
        return AtOnce(answer=False, why="its file is gone; its history is kept")
    is_new = not change.adoption.was_there()
    return forecast.at_once(stored, change.running, now, is_new=is_new, is_known=is_known)


def _new_problems(old: tuple[Problem, ...], new: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the new problems. A problem that only moved to another line is not new."""
    known = {(problem.file, problem.code, problem.message) for problem in old}
    return tuple(problem for problem in new if (problem.file, problem.code, problem.message) not in known)
