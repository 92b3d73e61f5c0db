"""DECIDE: what becomes of a task whose file has changed, as a value that can be printed. Pure: no clock, no I/O.

One place writes these values down (`operations/ticking/adopt.py`).
"""

from __future__ import annotations

from datetime import datetime

from runner import planning
from runner.model import event
from runner.model.state import SKIP, START, Decision, TaskState
from runner.model.stored import StoredTask, Version
from runner.value import Value, replace

_EDITED = "the task was edited before a tick came"
_REMOVED = "the task's file was removed before a tick came"


_NEVER = TaskState()


class Transition(Value):
    """When a change is taken over: the commits that were and will be in force, and the present instant."""

    before: str | None
    commit: str | None
    now: datetime


class Adoption(Value):
    """What becomes of one task. `kinds` are words of `model.event`; none where nothing has changed that people would notice.

    `before` is the task as it stood, with the id that it had then; None where it was never seen. `blob` is None once its file
    is gone. `version` is put in force; None leaves the one that is. `skipped` are slots that the change has overtaken,
    `claimed` those of the old schedule that start after it. `valid_commit` and `invalid_commit` are those of a degraded task.
    """

    task: str
    kinds: tuple[str, ...]
    before: StoredTask | None
    blob: str | None
    version: Version | None = None
    state: TaskState = _NEVER
    skipped: tuple[Decision, ...] = ()
    claimed: tuple[Decision, ...] = ()
    valid_commit: str | None = None
    invalid_commit: str | None = None

    def was_there(self) -> bool:
        """Return whether the commit before had a file of the task."""
        return self.before is not None and self.before.blob is not None

    def is_there(self) -> bool:
        """Return whether the commit has a file of the task."""
        return self.blob is not None


def adopted(
    task_id: str,
    stored: StoredTask | None,
    blob: str,
    version: Version | None,
    running: tuple[int, ...],
    moment: Transition,
) -> Adoption:
    """Return what becomes of a task with another version of its file; `version` is None where that is not to be put in force."""
    if version is None:
        return kept(task_id, stored, blob, moment)
    if stored is None or stored.spec is None:
        state = planning.first_seen(version.spec, active=version.active, now=moment.now)
        kinds = [*_renamed(task_id, stored), event.ADDED]
        if not version.active:
            kinds.append(event.DEACTIVATED)
        return Adoption(task_id, tuple(kinds), stored, blob, version, state)
    # A file that comes back after it was gone owes nothing of the time between.
    was_active = stored.active and stored.blob is not None
    state = stored.state
    skipped: tuple[Decision, ...] = ()
    claimed: tuple[Decision, ...] = ()
    if not version.active or version.spec != stored.spec:
        state, skipped, claimed = _old_slots(stored, running, _EDITED, moment, goes_on=version.active)
    state = planning.changed(
        stored.spec, version.spec, was_active=was_active, active=version.active, state=state, now=moment.now
    )
    return Adoption(task_id, tuple(_kinds(task_id, stored, version)), stored, blob, version, state, skipped, claimed)


def _renamed(task_id: str, stored: StoredTask | None) -> list[str]:
    return [event.RENAMED] if stored is not None and stored.id != task_id else []


def _kinds(task_id: str, stored: StoredTask, version: Version) -> list[str]:
    kinds = _renamed(task_id, stored)
    if stored.blob is None:
        kinds.append(event.RETURNED)
    elif stored.invalid_commit is not None:
        kinds.append(event.RECOVERED)
    if stored.active != version.active:
        kinds.append(event.ACTIVATED if version.active else event.DEACTIVATED)
    if stored.version != version.id:
        kinds.append(event.CHANGED)
    return kinds


def kept(task_id: str, stored: StoredTask | None, blob: str, moment: Transition) -> Adoption:
    """Return what becomes of a task whose file is not valid, or not taken over: its last valid version stays in force."""
    kinds = _renamed(task_id, stored)
    if stored is None or stored.version is None:
        was_there = stored is not None and stored.blob is not None
        return Adoption(task_id, tuple(kinds if was_there else [*kinds, event.DEGRADED]), stored, blob)
    if stored.invalid_commit is None:
        kinds.append(event.DEGRADED)
    return Adoption(
        task_id,
        tuple(kinds),
        stored,
        blob,
        state=stored.state,
        valid_commit=stored.valid_commit or moment.before,
        invalid_commit=stored.invalid_commit or moment.commit,
    )


def removed(stored: StoredTask, running: tuple[int, ...], moment: Transition) -> Adoption:
    """Return what becomes of a task whose file is gone: nothing is owed; should the file return, it goes on from there."""
    state, skipped, _ = _old_slots(stored, running, _REMOVED, moment, goes_on=False)
    return Adoption(stored.id, (event.REMOVED,), stored, None, state=replace(state, next_slot=None), skipped=skipped)


def _old_slots(
    stored: StoredTask, running: tuple[int, ...], why: str, moment: Transition, *, goes_on: bool
) -> tuple[TaskState, tuple[Decision, ...], tuple[Decision, ...]]:
    """Return where a task stands once the slots of the schedule that goes are decided, those not run, and those to be started.

    Slots that fell due before the present minute are overtaken; one whose minute has come, and whose start has not, is started
    all the same, unless the task does not go on.
    """
    state = stored.state
    skipped: list[Decision] = []
    claimed: list[Decision] = []
    if stored.spec is None or stored.version is None:
        return state, (), ()
    overtaken = planning.overtaken(stored.spec, state, why, moment.now, stored.offset)
    if overtaken is not None:
        state, skipped = overtaken.state, [*overtaken.decisions]
    pending = planning.pending(stored.spec, stored.policy, stored.offset, state, running, moment.now)
    for decision in () if pending is None else pending.decisions:
        if decision.action == START and goes_on:
            claimed.append(decision)
        else:
            skipped.append(
                decision if decision.action == SKIP else replace(decision, action=SKIP, reason=why, due_at=None)
            )
    return state if pending is None else pending.state, tuple(skipped), tuple(claimed)
