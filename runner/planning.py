"""DECIDE: from schedules, states and the present instant to decisions. Pure: no clock, no I/O.

Every function here returns a new value; what is recorded and what is run is up to `operations`.
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

#: Older slots are counted up to here: a tick after a year without any stays quick. More read as this number.
MOST_MISSED = 10_000
#: `catchup: all` runs so many slots at most, the newest ones.
MOST_CAUGHT_UP = 100
#: So far ahead of the present minute's beginning the last decision may lie, before the clock is taken to have been set back.
CLOCK_MAY_BE_AHEAD = timedelta(minutes=2)

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
    state = replace(state, anchor=state.anchor or minute)
    if state.watermark is not None and minute <= state.watermark < minute + _MINUTE:
        return _decided_up_to(spec, state, state.watermark)
    return _decided_up_to(spec, state, minute - _MICROSECOND)


def _decided_up_to(spec: ScheduleSpec, state: TaskState, instant: datetime) -> TaskState:
    """Return the state once every slot up to an instant is decided; the watermark only ever rises."""
    if state.watermark is not None and instant < state.watermark:
        state = replace(state, resumed_at=instant)
    else:
        wall = wall_time(instant, spec.zone()) if spec.follows_wall_clock() else None
        state = replace(state, watermark=instant, wall=wall, resumed_at=None)
    return replace(state, next_slot=following(spec, state))


def following(spec: ScheduleSpec, state: TaskState) -> datetime | None:
    """Return the first slot after those that are decided, by the rules that the zone has now; None where there is none.

    Where those rules have changed since the watermark, a wall time that was decided under the old ones is not decided again.
    """
    low = state.resumed_at or state.watermark
    if low is None:
        return None if state.anchor is None else _first_after(spec, state.anchor, state.anchor - _MICROSECOND)
    slot = _first_after(spec, state.anchor or low, low)
    if slot is None or state.wall is None or state.watermark is None or low != state.watermark:
        return slot
    zone = spec.zone()
    if wall_time(state.watermark, zone) == state.wall:
        return slot
    while slot is not None and wall_time(slot, zone) <= state.wall:
        slot = _first_after(spec, state.anchor or low, slot)
    return slot


# Pure, and where thousands of tasks are seen for the first time they share a few hundred schedules.
@lru_cache(maxsize=4096)
def _first_after(spec: ScheduleSpec, anchor: datetime, instant: datetime) -> datetime | None:
    return spec.schedule_around(anchor, instant).after(instant)


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
    return activated(after, state, now) if active else replace(state, next_slot=None)


def is_set_back(instant: datetime, now: datetime) -> bool:
    """Return whether the clock has been set back since a tick decided something at an instant.

    It has where that lies beyond the minute after the present one. After less, a task waits until the clock has caught up: no
    longer than two minutes.
    """
    return instant >= minute_of(now) + CLOCK_MAY_BE_AHEAD


def resumed(spec: ScheduleSpec, state: TaskState, now: datetime) -> TaskState:
    """Return the state of a task after a clock was set back: it goes on from the present, and nothing of it moves.

    Slots that were decided meanwhile stay decided: whoever records a decision knows them. Where the present lies before the task
    was first seen, its own minute owes nothing: nobody can say whether the clock was wrong then or is wrong now.
    """
    low = state.resumed_at or state.watermark
    if low is None or not is_set_back(low, now):
        return state
    minute = minute_of(now)
    is_before_anchor = state.anchor is not None and now < state.anchor
    return _decided_up_to(spec, state, (minute + _MINUTE if is_before_anchor else minute) - _MICROSECOND)


def replanned(spec: ScheduleSpec, state: TaskState) -> TaskState:
    """Return the state with its next slot by the rules that the zone has now."""
    return state if state.next_slot is None else replace(state, next_slot=following(spec, state))


def overtaken(
    spec: ScheduleSpec, state: TaskState, why: str, now: datetime, offset: timedelta = timedelta(0)
) -> TaskDecision | None:
    """Return how to put on record what an edit has overtaken: slots of the old schedule that no tick has decided in time.

    Those that start in the present minute or later are not overtaken; None where no older one is due.
    """
    owed = _owed(spec, state, minute_of(now) - offset - _MICROSECOND)
    if owed is None:
        return None
    return TaskDecision((Decision(SKIP, owed.latest, SCHEDULE, why, owed.missed),), owed.decided(spec, state))


def pending(  # every argument is one of the facts that decide
    spec: ScheduleSpec,
    policy: Policy,
    offset: timedelta,
    state: TaskState,
    running: tuple[int, ...],
    now: datetime,
) -> TaskDecision | None:
    """Return what to do about slots whose minute has come and whose start has not, before an edit; None where there are none.

    A slot belongs to the schedule of its minute, whatever is edited before its start. Without jitter there are none: what falls
    into the minute of the edit is the new schedule's.
    """
    return _decide(spec, policy, offset, state, running, now, until=now) if offset else None


class _Owed(Value):
    """The due slots of a task: from the first to the latest, `missed` of them before that."""

    schedule: Schedule
    first: datetime
    latest: datetime
    missed: int

    def decided(self, spec: ScheduleSpec, state: TaskState) -> TaskState:
        """Return where the task stands once all of them have been decided."""
        return _decided_up_to(spec, state, self.latest)

    def before(self, slot: datetime) -> datetime | None:
        """Return the due slot before one of them."""
        return self.schedule.latest(self.first - _MICROSECOND, slot - _MICROSECOND)


def _owed(spec: ScheduleSpec, state: TaskState, until: datetime) -> _Owed | None:
    """Return the slots that are due, by the rules that the zone has now; what is stored about the next one is a hint."""
    if state.next_slot is None:
        return None
    if state.watermark is not None and until >= state.watermark:
        state = replace(state, resumed_at=None)
    due = following(spec, state)
    if due is None or due > until:
        return None
    schedule = spec.schedule_around(state.anchor, due)
    after = schedule.after(due)
    if after is None or after > until:
        return _Owed(schedule, due, due, 0)
    latest = schedule.latest(due, until) or due
    return _Owed(schedule, due, latest, schedule.count(due, latest, MOST_MISSED))


def due_at(slot: datetime, offset: timedelta) -> datetime:
    """Return when a slot is to be decided: in the minute in which its jitter ends, which the tick then waits for."""
    return max(slot, minute_of(slot + offset))


def decide(  # every argument is one of the facts that decide
    spec: ScheduleSpec,
    policy: Policy,
    offset: timedelta,
    state: TaskState,
    running: tuple[int, ...],
    now: datetime,
) -> TaskDecision | None:
    """Return what to do about the task's due slots, or None where nothing is due.

    `offset` is how much later than its slots the task starts (`jitter`), `running` are the runs of the task that have not ended.
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
    owed = _owed(spec, state, until)
    if owed is None:
        return _corrected(spec, state, until)
    decisions = _answer(owed, policy, offset, now)
    state = owed.decided(spec, state)
    if running and policy.concurrency_policy == FORBID:
        return _behind(owed, decisions, running[-1], state, everything=policy.catchup == ALL)
    if running and policy.concurrency_policy == REPLACE:
        decisions = [replace(it, replaces=running) if it.action == START else it for it in decisions]
    started = [decision.slot for decision in decisions if decision.action == START]
    return TaskDecision(tuple(decisions), replace(state, last_run_slot=started[-1]) if started else state)


def _corrected(spec: ScheduleSpec, state: TaskState, until: datetime) -> TaskDecision | None:
    """Return no decision, and the state with a better hint, where the one that is stored has come and is not a slot any more."""
    if state.next_slot is None or state.next_slot > until:
        return None
    if state.watermark is not None and until >= state.watermark:
        state = replace(state, resumed_at=None)
    return TaskDecision((), replace(state, next_slot=following(spec, state)))


def _behind(owed: _Owed, decisions: list[Decision], run: int, state: TaskState, *, everything: bool) -> TaskDecision:
    """Return what becomes of slots that come while a run is in their way.

    With `everything` those that were missed wait for their turn, and so does the one that follows them.
    """
    reason = f"the task is still running (run {run})"
    is_catching_up = any(decision.trigger == CATCHUP for decision in decisions)
    if not (everything and is_catching_up):
        return TaskDecision((Decision(SKIP, owed.latest, decisions[-1].trigger, reason, owed.missed, run),), state)
    started = [decision.slot for decision in decisions if decision.action == START]
    return TaskDecision(tuple(decisions), replace(state, last_run_slot=started[-1]) if started else state)


def _answer(owed: _Owed, policy: Policy, offset: timedelta, now: datetime) -> list[Decision]:
    """Return a decision for each due slot that is started, and one for each stretch that is not."""
    if policy.catchup == ALL and policy.concurrency_policy != REPLACE:
        return _all(owed, policy, offset, now)
    latest = owed.latest
    if policy.catchup != NONE:
        return [_start_in_time(latest, owed.missed, policy, offset, now)]
    reason = "no tick came in its minute (catchup: none)"
    if _is_late(latest, offset, now):
        return [_missed(latest, owed.missed, reason)]
    before = owed.before(latest) if owed.missed else None
    gone = [] if before is None else [_missed(before, owed.missed - 1, reason)]
    return [*gone, _start_in_time(latest, 0, policy, offset, now)]


def _start_in_time(slot: datetime, missed: int, policy: Policy, offset: timedelta, now: datetime) -> Decision:
    if _is_past_deadline(slot, policy, offset, now):
        return _missed(slot, missed, _deadline_words(policy))
    return _start(slot, missed, offset, now)


def _all(owed: _Owed, policy: Policy, offset: timedelta, now: datetime) -> list[Decision]:
    chosen = [owed.latest]
    while len(chosen) < MOST_CAUGHT_UP and (slot := owed.before(chosen[-1])) is not None:
        chosen.append(slot)
    chosen.reverse()
    late = [slot for slot in chosen if _is_past_deadline(slot, policy, offset, now)]
    oldest = owed.before(chosen[0])
    gone = []
    if late:
        older = owed.missed + 1 - len(chosen) + len(late) - 1
        gone = [_missed(late[-1], older, _deadline_words(policy))]
    elif oldest is not None:
        reason = f"more than {MOST_CAUGHT_UP} slots were missed (catchup: all)"
        gone = [_missed(oldest, owed.missed - len(chosen), reason)]
    return [*gone, *(_start(slot, 0, offset, now) for slot in chosen[len(late) :])]


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
    """Return why a slot that was to be started at `due_at`, and waited, is not run any more; None where it is.

    What a task says of late slots holds until its run begins: its deadline, and that missed slots are not caught up, or that the
    newest one stands for all (`has_newer` says that a later slot of the task waits, too).
    """
    if policy.starting_deadline is not None and now > due_at + policy.starting_deadline:
        return f"missed: {_deadline_words(policy)} while it waited"
    if now < _ceiling(max(slot, minute_of(due_at))) + _MINUTE:
        return None
    if policy.catchup == NONE:
        return "missed: it could not be started in its minute (catchup: none)"
    if policy.catchup == LATEST and has_newer:
        return "missed: it waited until a later slot had come (catchup: latest)"
    return None


def waited_words(due_at: datetime, now: datetime) -> str | None:
    """Return how long a run has waited to be started, where it was not in the minute in which it was to be; None where it was."""
    if now < _ceiling(minute_of(due_at)) + 2 * _MINUTE:
        return None
    return f"it waited {(now - due_at) // _MINUTE} min for its start"


def _deadline_words(policy: Policy) -> str:
    deadline = format_duration(policy.starting_deadline or timedelta(0))
    return f"its starting deadline of {deadline} had passed"


def _reason(missed: int, *, late: bool) -> str:
    if missed:
        slots = "slot" if missed == 1 else "slots"
        return f"caught up: covers {missed} older {slots}, too"
    return "caught up: no tick came in its minute" if late else "due"


def minute_of(instant: datetime) -> datetime:
    """Return the beginning of the instant's minute."""
    return instant.replace(second=0, microsecond=0)


def _ceiling(instant: datetime) -> datetime:
    floor = minute_of(instant)
    return floor if floor == instant else floor + _MINUTE
