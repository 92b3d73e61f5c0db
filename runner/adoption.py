"""Decide how a changed, renamed, removed or invalid file changes its task. Pure: no clock, no I/O.

Only `operations/ticking/adopt.py` records the values that are returned here.
"""

from __future__ import annotations

from datetime import datetime

from runner import planning
from runner.model import event
from runner.model.state import SKIP, START, Decision, TaskState
from runner.model.stored import StoredTask, Version
from runner.value import Value, replace

_EDITED = "the task was edited before a tick ran"
_REMOVED = "the task's file was removed before a tick ran"

_NEVER = TaskState()


class Transition(Value):
    """A change of the commit in force: the commit before, the new one, and the present instant."""

    before: str | None
    commit: str | None
    now: datetime


class Adoption(Value):
    """The new record of one task, and the events of the change.

    - `kinds`: words of `model.event`; empty if nothing has changed that a person would notice.
    - `before`: the task before the change, with the id that it had then; None if it was never seen.
    - `blob`: the git blob of its file; None if the file was removed.
    - `version`: the version to put in force; None keeps the present one.
    - `skipped`: due slots of the old schedule that are not run because of the change.
    - `claimed`: slots of the old schedule that start after the change.
    - `valid_commit`, `invalid_commit`: of a degraded task, the commit of its last valid version and the first invalid
      one.
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
        """Return whether the task had a file in the commit before."""
        return self.before is not None and self.before.blob is not None

    def is_there(self) -> bool:
        """Return whether the task has a file in the new commit."""
        return self.blob is not None


def adopted(
    task_id: str,
    stored: StoredTask | None,
    blob: str,
    version: Version | None,
    running: tuple[int, ...],
    moment: Transition,
) -> Adoption:
    """Return the new record of a task whose file has changed; `version` is None if the content is not put in force."""
    if version is None:
        return kept(task_id, stored, blob, moment)
    if stored is None or stored.spec is None:
        state = planning.first_seen(version.spec, active=version.active, now=moment.now)
        kinds = [*_renamed(task_id, stored), event.ADDED]
        if not version.active:
            kinds.append(event.DEACTIVATED)
        return Adoption(task_id, tuple(kinds), stored, blob, version, state)
    # Slots between the removal of a file and its return are not owed.
    was_active = stored.active and stored.blob is not None
    state = stored.state
    skipped: tuple[Decision, ...] = ()
    claimed: tuple[Decision, ...] = ()
    if not version.active or version.spec != stored.spec:
        state, skipped, claimed = _decide_old_slots(stored, running, _EDITED, moment, stays_active=version.active)
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
    """Return the new record of a task whose file is invalid or refused: its last valid version stays in force."""
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
    """Return the new record of a task whose file was removed: it has no next slot.

    The rest of its state is kept in case the file returns.
    """
    state, skipped, _ = _decide_old_slots(stored, running, _REMOVED, moment, stays_active=False)
    return Adoption(stored.id, (event.REMOVED,), stored, None, state=replace(state, next_slot=None), skipped=skipped)


def _decide_old_slots(
    stored: StoredTask, running: tuple[int, ...], why: str, moment: Transition, *, stays_active: bool
) -> tuple[TaskState, tuple[Decision, ...], tuple[Decision, ...]]:
    """Return the state after the due slots of the old schedule are decided, the skipped slots and the started ones.

    Slots that were due before the present minute are skipped. A slot that has come, and that jitter delays beyond the
    change, is started, unless the task does not stay active.
    """
    state = stored.state
    skipped: list[Decision] = []
    claimed: list[Decision] = []
    if stored.spec is None or stored.version is None:
        return state, (), ()
    before = planning.skip_before_edit(stored.spec, state, why, moment.now, stored.offset)
    if before is not None:
        state, skipped = before.state, [*before.decisions]
    delayed = planning.decide_delayed(stored.spec, stored.policy, stored.offset, state, running, moment.now)
    for decision in () if delayed is None else delayed.decisions:
        if decision.action == START and stays_active:
            claimed.append(decision)
        else:
            skipped.append(
                decision if decision.action == SKIP else replace(decision, action=SKIP, reason=why, due_at=None)
            )
    return state if delayed is None else delayed.state, tuple(skipped), tuple(claimed)
