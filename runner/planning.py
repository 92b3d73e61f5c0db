"""DECIDE: from schedules, states and the present instant to decisions. Pure: no clock, no I/O.

Every function here returns a new value; what is recorded and what is run is up to `operations`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from runner.model.state import SKIP, START, Decision, TaskState
from runner.model.task import ScheduleSpec
from runner.model.words import CATCHUP, SCHEDULE
from runner.schedule import Schedule

#: Older slots are counted up to here: a tick after a year without any stays quick. More read as this number.
MOST_MISSED = 10_000

_MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)


def first_seen(spec: ScheduleSpec, *, active: bool, now: datetime) -> TaskState:
    """Return the state of a task that was never seen before.

    Its first slot is the first one in the present minute or later: cron comes some milliseconds after the minute has begun.
    An interval without `start` is anchored in this minute, so that it runs at once.
    """
    return activated(spec, TaskState(), now) if active else TaskState()


def activated(spec: ScheduleSpec, state: TaskState, now: datetime) -> TaskState:
    """Return the state of a task that is active from now on: slots that fell before are not owed."""
    minute = minute_of(now)
    anchor = state.anchor or minute
    owed_after = minute - _MICROSECOND
    if state.watermark is not None:
        owed_after = max(owed_after, state.watermark)
    return replace(state, anchor=anchor, next_due=_first_after(spec, anchor, owed_after))


# Pure, and where thousands of tasks are seen for the first time they share a few hundred schedules.
@lru_cache(maxsize=4096)
def _first_after(spec: ScheduleSpec, anchor: datetime, instant: datetime) -> datetime | None:
    return spec.schedule(anchor).after(instant)


def changed(  # every argument is one of the facts that decide
    before: ScheduleSpec,
    after: ScheduleSpec,
    *,
    was_active: bool,
    active: bool,
    state: TaskState,
    now: datetime,
) -> TaskState:
    """Return the state after an edit. An edit that leaves schedule and activity as they are changes nothing."""
    if not after.same_grid(before):
        state = replace(state, anchor=state.last_run_slot or state.anchor)
    elif active and was_active and before == after:
        return state
    return activated(after, state, now) if active else replace(state, next_due=None)


def removed(state: TaskState) -> TaskState:
    """Return the state of a task whose file is gone: nothing is owed; should the file return, it goes on from here."""
    return replace(state, next_due=None)


def overtaken(spec: ScheduleSpec, state: TaskState, why: str, now: datetime) -> Decision | None:
    """Return how to put on record what an edit has overtaken: slots of the old schedule that no tick has decided in time.

    Those of the present minute and later are the new schedule's; None where no older one is due.
    """
    decision = decide(spec, state, None, minute_of(now) - _MICROSECOND)
    if decision is None:
        return None
    state = replace(decision.state, last_run_slot=state.last_run_slot)
    return replace(decision, action=SKIP, trigger=SCHEDULE, reason=why, state=state)


def decide(spec: ScheduleSpec, state: TaskState, running: int | None, now: datetime) -> Decision | None:
    """Return what to do about the task's due slots, or None where nothing is due.

    Slots that have piled up are answered by one run for the latest of them (`catchup: latest`). `running` is the run of this
    task that has not ended: one task never runs twice at once (`concurrency_policy: forbid`).
    """
    due = state.next_due
    if due is None or due > now:
        return None
    schedule = spec.schedule(state.anchor)
    slot, following, missed = _latest_due(schedule, due, now)
    state = replace(state, watermark=slot, next_due=following)
    if running is not None:
        reason = f"the task is still running (run {running})"
        return Decision(SKIP, slot, SCHEDULE, reason, missed, running, state)
    late = now >= _ceiling(slot) + _MINUTE
    reason = _reason(missed, late=late)
    trigger = CATCHUP if late or missed else SCHEDULE
    return Decision(START, slot, trigger, reason, missed, None, replace(state, last_run_slot=slot))


def _latest_due(schedule: Schedule, due: datetime, now: datetime) -> tuple[datetime, datetime | None, int]:
    """Return the last slot by now, the one after it, and how many in [due, slot) it stands for."""
    following = schedule.after(due)
    if following is None or following > now:
        return due, following, 0
    slot = schedule.latest(due, now) or due
    return slot, schedule.after(slot), schedule.count(due, slot, MOST_MISSED)


def _reason(missed: int, *, late: bool) -> str:
    if missed:
        slots = "slot" if missed == 1 else "slots"
        return f"caught up: stands for {missed} older {slots} too"
    return "caught up: no tick came in its minute" if late else "due"


def minute_of(instant: datetime) -> datetime:
    """Return the beginning of the instant's minute."""
    return instant.replace(second=0, microsecond=0)


def _ceiling(instant: datetime) -> datetime:
    floor = minute_of(instant)
    return floor if floor == instant else floor + _MINUTE
