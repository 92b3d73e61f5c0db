"""Decide which slots start, and compute the new state of a task. Pure: no clock, no I/O.

Every function returns a new value. `operations` records it and runs the tasks.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from runner.model.state import SKIP, START, Decision, TaskDecision, TaskState
from runner.model.statuses import ALL, CATCHUP, FORBID, LATEST, NONE, REPLACE, SCHEDULE
from runner.model.task import Policy, ScheduleSpec
from runner.schedule import Schedule
from runner.schedule.duration import format_duration
from runner.schedule.localtime import wall_time
from runner.value import Value, replace

#: The limit for counting older slots, so that a tick after a year without ticks is fast. A larger count becomes this
#: one.
MOST_MISSED = 10_000
#: `catchup: all` runs at most this many slots: the newest.
MOST_CAUGHT_UP = 100
#: The last decision may be this much later than the beginning of the present minute. If it is later than that, the
#: clock was set back.
CLOCK_MAY_BE_AHEAD = timedelta(minutes=2)

_MINUTE = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)


def first_seen(spec: ScheduleSpec, *, active: bool, now: datetime) -> TaskState:
    """Return the state of a task that was never seen before.

    Its first slot is the first one in the present minute or later, because cron starts a tick some milliseconds after
    the minute has begun. An interval without `start` is anchored in this minute, so that the task runs at once.
    """
    return activated(spec, TaskState(), now) if active else TaskState()


def activated(spec: ScheduleSpec, state: TaskState, now: datetime) -> TaskState:
    """Return the state of a task that is active from now on. Slots before the present minute are not owed."""
    minute = minute_of(now)
    state = replace(state, anchor=state.anchor or minute)
    if state.watermark is not None and minute <= state.watermark < minute + _MINUTE:
        return _decided_up_to(spec, state, state.watermark)
    return _decided_up_to(spec, state, minute - _MICROSECOND)


def _decided_up_to(spec: ScheduleSpec, state: TaskState, instant: datetime) -> TaskState:
    """Return the state after every slot up to an instant is decided. The watermark only rises."""
    if state.watermark is not None and instant < state.watermark:
        state = replace(state, resumed_at=instant)
    else:
        wall = wall_time(instant, spec.zone()) if spec.follows_wall_clock() else None
        state = replace(state, watermark=instant, wall=wall, resumed_at=None)
    return replace(state, next_slot=following(spec, state))


def following(spec: ScheduleSpec, state: TaskState) -> datetime | None:
    """Return the first undecided slot by the present rules of the zone, or None if there is none.

    If these rules have changed since the watermark, a wall time that was decided under the old rules is not decided
    again.
    """
    decided_until = state.resumed_at or state.watermark
    if decided_until is None:
        return None if state.anchor is None else _first_after(spec, state.anchor, state.anchor - _MICROSECOND)
    slot = _first_after(spec, state.anchor or decided_until, decided_until)
    if slot is None or state.wall is None or state.watermark is None or decided_until != state.watermark:
        return slot
    zone = spec.zone()
    if wall_time(state.watermark, zone) == state.wall:
        return slot
    while slot is not None and wall_time(slot, zone) <= state.wall:
        slot = _first_after(spec, state.anchor or decided_until, slot)
    return slot


# A cache helps when thousands of tasks are seen for the first time: they share a few hundred schedules.
@lru_cache(maxsize=4096)
def _first_after(spec: ScheduleSpec, anchor: datetime, instant: datetime) -> datetime | None:
    return spec.schedule_around(anchor, instant).after(instant)


def changed(
    before: ScheduleSpec,
    after: ScheduleSpec,
    *,
    was_active: bool,
    active: bool,
    state: TaskState,
    now: datetime,
) -> TaskState:
    """Return the state after an edit: the same state if neither the schedule nor `active` has changed."""
    if not after.same_grid(before):
        state = replace(state, anchor=state.last_run_slot or state.anchor)
    elif active and was_active and before == after:
        return state
    return activated(after, state, now) if active else replace(state, next_slot=None)


def is_set_back(instant: datetime, now: datetime) -> bool:
    """Return whether the clock was set back since a tick decided something at an instant.

    It was if the instant is later than the minute after the present one. After a smaller change a task waits until the
    clock has reached the instant again: two minutes at most.
    """
    return instant >= minute_of(now) + CLOCK_MAY_BE_AHEAD


def resumed(spec: ScheduleSpec, state: TaskState, now: datetime) -> TaskState:
    """Return the state of a task after a clock was set back: slots are due from the present on; the anchor stays.

    Slots that were decided while the clock was ahead stay decided: the code that records a decision checks for them.
    If the present is before the task was first seen, the present minute has no due slot, because either clock may have
    been wrong.
    """
    decided_until = state.resumed_at or state.watermark
    if decided_until is None or not is_set_back(decided_until, now):
        return state
    minute = minute_of(now)
    is_before_anchor = state.anchor is not None and now < state.anchor
    return _decided_up_to(spec, state, (minute + _MINUTE if is_before_anchor else minute) - _MICROSECOND)


def replanned(spec: ScheduleSpec, state: TaskState) -> TaskState:
    """Return the state with its next slot computed again by the present rules of the zone."""
    return state if state.next_slot is None else replace(state, next_slot=following(spec, state))


def skip_before_edit(
    spec: ScheduleSpec, state: TaskState, why: str, now: datetime, offset: timedelta = timedelta(0)
) -> TaskDecision | None:
    """Return the decision that skips due slots of the old schedule that no tick decided before an edit.

    Slots that start in the present minute or later are not skipped. Return None if no older slot is due.
    """
    due = _due_slots(spec, state, minute_of(now) - offset - _MICROSECOND)
    if due is None:
        return None
    return TaskDecision((Decision(SKIP, due.latest, SCHEDULE, why, due.missed),), due.decided(spec, state))


def decide_delayed(
    spec: ScheduleSpec,
    policy: Policy,
    offset: timedelta,
    state: TaskState,
    running: tuple[int, ...],
    now: datetime,
) -> TaskDecision | None:
    """Return the decisions for slots of the old schedule that have come and that jitter delays beyond an edit.

    A slot belongs to the schedule that was in force in its minute, also if an edit comes before its start. Without
    jitter there is no such slot: a slot in the minute of the edit belongs to the new schedule. Return None if there is
    none.
    """
    return _decide(spec, policy, offset, state, running, now, until=now) if offset else None


class _DueSlots(Value):
    """The due slots of a task, from the first to the latest. `missed` counts those before the latest."""

    schedule: Schedule
    first: datetime
    latest: datetime
    missed: int

    def decided(self, spec: ScheduleSpec, state: TaskState) -> TaskState:
        """Return the state of the task after all of these slots are decided."""
        return _decided_up_to(spec, state, self.latest)

    def before(self, slot: datetime) -> datetime | None:
        """Return the due slot before one of them, or None if that is the first."""
        return self.schedule.latest(self.first - _MICROSECOND, slot - _MICROSECOND)


def _due_slots(spec: ScheduleSpec, state: TaskState, until: datetime) -> _DueSlots | None:
    """Return the slots that are due by the present rules of the zone, or None.

    The stored next slot is a hint only: the rules may have changed since it was computed.
    """
    if state.next_slot is None:
        return None
    if state.watermark is not None and until >= state.watermark:
        state = replace(state, resumed_at=None)
    first = following(spec, state)
    if first is None or first > until:
        return None
    schedule = spec.schedule_around(state.anchor, first)
    second = schedule.after(first)
    if second is None or second > until:
        return _DueSlots(schedule, first, first, 0)
    latest = schedule.latest(first, until) or first
    return _DueSlots(schedule, first, latest, schedule.count(first, latest, MOST_MISSED))


def due_at(slot: datetime, offset: timedelta) -> datetime:
    """Return when a slot is decided: when the minute of its start begins, or at the slot if that is later.

    `offset` is the jitter of the task. A tick that starts in that minute waits until the start.
    """
    return max(slot, minute_of(slot + offset))


def decide(
    spec: ScheduleSpec,
    policy: Policy,
    offset: timedelta,
    state: TaskState,
    running: tuple[int, ...],
    now: datetime,
) -> TaskDecision | None:
    """Return the decisions about a task's due slots, or None if nothing is due.

    `offset` is the time from a slot to its start (`jitter`). `running` are the runs of the task that have not ended.
    """
    until = min(now, minute_of(now) + _MINUTE - offset - _MICROSECOND) if offset else now
    return _decide(spec, policy, offset, state, running, now, until)


def _decide(
    spec: ScheduleSpec,
    policy: Policy,
    offset: timedelta,
    state: TaskState,
    running: tuple[int, ...],
    now: datetime,
    until: datetime,
) -> TaskDecision | None:
    due = _due_slots(spec, state, until)
    if due is None:
        return _with_corrected_next_slot(spec, state, until)
    decisions = _decisions(due, policy, offset, now)
    state = due.decided(spec, state)
    if running and policy.concurrency_policy == FORBID:
        return _blocked(due, decisions, running[-1], state, everything=policy.catchup == ALL)
    if running and policy.concurrency_policy == REPLACE:
        decisions = [replace(it, replaces=running) if it.action == START else it for it in decisions]
    started = [decision.slot for decision in decisions if decision.action == START]
    return TaskDecision(tuple(decisions), replace(state, last_run_slot=started[-1]) if started else state)


def _with_corrected_next_slot(spec: ScheduleSpec, state: TaskState, until: datetime) -> TaskDecision | None:
    """Return no decision, and the state with its next slot computed again; None if the stored one is after `until`.

    If the stored one is not after `until` and no slot is due, it is not a slot of the schedule any more.
    """
    if state.next_slot is None or state.next_slot > until:
        return None
    if state.watermark is not None and until >= state.watermark:
        state = replace(state, resumed_at=None)
    return TaskDecision((), replace(state, next_slot=following(spec, state)))


def _blocked(
    due: _DueSlots, decisions: list[Decision], run: int, state: TaskState, *, everything: bool
) -> TaskDecision:
    """Return the decisions about slots that come while `run` is running, under `concurrency_policy: forbid`.

    The slots are skipped. With `everything`, slots that were missed are queued instead, and so is the slot after them.
    """
    reason = f"the task is still running (run {run})"
    is_catching_up = any(decision.trigger == CATCHUP for decision in decisions)
    if not (everything and is_catching_up):
        return TaskDecision((Decision(SKIP, due.latest, decisions[-1].trigger, reason, due.missed, run),), state)
    started = [decision.slot for decision in decisions if decision.action == START]
    return TaskDecision(tuple(decisions), replace(state, last_run_slot=started[-1]) if started else state)


def _decisions(due: _DueSlots, policy: Policy, offset: timedelta, now: datetime) -> list[Decision]:
    """Return a decision for each due slot that is started, and one for each series of slots that are skipped."""
    if policy.catchup == ALL and policy.concurrency_policy != REPLACE:
        return _all(due, policy, offset, now)
    latest = due.latest
    if policy.catchup != NONE:
        return [_start_in_time(latest, due.missed, policy, offset, now)]
    reason = "no tick ran in its minute (catchup: none)"
    if _is_late(latest, offset, now):
        return [_missed(latest, due.missed, reason)]
    before = due.before(latest) if due.missed else None
    skipped = [] if before is None else [_missed(before, due.missed - 1, reason)]
    return [*skipped, _start_in_time(latest, 0, policy, offset, now)]


def _start_in_time(slot: datetime, missed: int, policy: Policy, offset: timedelta, now: datetime) -> Decision:
    if _is_past_deadline(slot, policy, offset, now):
        return _missed(slot, missed, _deadline_reason(policy))
    return _start(slot, missed, offset, now)


def _all(due: _DueSlots, policy: Policy, offset: timedelta, now: datetime) -> list[Decision]:
    chosen = [due.latest]
    while len(chosen) < MOST_CAUGHT_UP and (slot := due.before(chosen[-1])) is not None:
        chosen.append(slot)
    chosen.reverse()
    late = [slot for slot in chosen if _is_past_deadline(slot, policy, offset, now)]
    before = due.before(chosen[0])
    skipped = []
    if late:
        older = due.missed + 1 - len(chosen) + len(late) - 1
        skipped = [_missed(late[-1], older, _deadline_reason(policy))]
    elif before is not None:
        reason = f"more than {MOST_CAUGHT_UP} slots were missed (catchup: all)"
        skipped = [_missed(before, due.missed - len(chosen), reason)]
    return [*skipped, *(_start(slot, 0, offset, now) for slot in chosen[len(late) :])]


def _start(slot: datetime, missed: int, offset: timedelta, now: datetime) -> Decision:
    late = _is_late(slot, offset, now)
    trigger = CATCHUP if late or missed else SCHEDULE
    return Decision(START, slot, trigger, _reason(missed, late=late), missed, due_at=slot + offset)


def _missed(slot: datetime, older: int, reason: str) -> Decision:
    return Decision(SKIP, slot, CATCHUP, f"missed: {reason}", max(0, older))


def _is_late(slot: datetime, offset: timedelta, now: datetime) -> bool:
    return now >= _ceiling(due_at(slot, offset)) + _MINUTE


def _is_past_deadline(slot: datetime, policy: Policy, offset: timedelta, now: datetime) -> bool:
    return policy.starting_deadline is not None and now > slot + offset + policy.starting_deadline


def missed_in_the_queue(
    policy: Policy, slot: datetime, due_at: datetime, now: datetime, *, has_newer: bool
) -> str | None:
    """Return why a slot that was due to start at `due_at` has waited too long to be run; None if it is to be run.

    `starting_deadline` and `catchup` apply until the run begins. With `catchup: latest` only the newest slot is run;
    `has_newer` is whether a later slot of the task is waiting, too.
    """
    if policy.starting_deadline is not None and now > due_at + policy.starting_deadline:
        return f"missed: {_deadline_reason(policy)} while it waited"
    if now < _ceiling(max(slot, minute_of(due_at))) + _MINUTE:
        return None
    if policy.catchup == NONE:
        return "missed: it could not be started in its minute (catchup: none)"
    if policy.catchup == LATEST and has_newer:
        return "missed: it waited until a later slot had come (catchup: latest)"
    return None


def waited_words(due_at: datetime, now: datetime) -> str | None:
    """Return a text with the minutes that a run has waited; None if it starts in its minute or the next one."""
    if now < _ceiling(minute_of(due_at)) + 2 * _MINUTE:
        return None
    return f"it waited {(now - due_at) // _MINUTE} min for its start"


def _deadline_reason(policy: Policy) -> str:
    deadline = format_duration(policy.starting_deadline or timedelta(0))
    return f"its starting deadline of {deadline} had passed"


def _reason(missed: int, *, late: bool) -> str:
    if missed:
        slots = "slot" if missed == 1 else "slots"
        return f"caught up: covers {missed} older {slots}, too"
    return "caught up: no tick ran in its minute" if late else "due"


def minute_of(instant: datetime) -> datetime:
    """Return the beginning of the instant's minute."""
    return instant.replace(second=0, microsecond=0)


def _ceiling(instant: datetime) -> datetime:
    floor = minute_of(instant)
    return floor if floor == instant else floor + _MINUTE
