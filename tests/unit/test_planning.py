"""Decisions: every slot is decided once, whatever cuts time into ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import planning
from runner.model.state import SKIP, START, TaskDecision, TaskState
from runner.model.statuses import CATCHUP, SCHEDULE
from runner.model.task import Policy, ScheduleSpec
from runner.value import replace
from tests.support import debian_cron
from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, NIGHTS, Night, at, calls_of, slots

BERLIN = "Europe/Berlin"
#: Cron comes some milliseconds after the minute has begun.
LATE = timedelta(milliseconds=20)
NOON = at("2026-06-10 12:00")

SPECS: tuple[ScheduleSpec, ...] = (
    ScheduleSpec(BERLIN, frequency=1, unit="minutes"),
    ScheduleSpec(BERLIN, frequency=37, unit="minutes"),
    ScheduleSpec(BERLIN, frequency=5, unit="hours"),
    ScheduleSpec(BERLIN, frequency=1, unit="days"),
    ScheduleSpec(BERLIN, frequency=1, unit="days", start="2026-01-01 02:30"),
    ScheduleSpec(BERLIN, cron="*/20 * * * *"),
    ScheduleSpec(BERLIN, cron="0,30 0-3 * * *"),
    ScheduleSpec(BERLIN, cron="30 2 * * *"),
    ScheduleSpec(BERLIN, rrule="FREQ=HOURLY;BYMINUTE=0,30"),
    ScheduleSpec(BERLIN, rrule="FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15"),
)


def every(frequency: int, unit: str = "minutes", **keys: str) -> ScheduleSpec:
    """Return an interval in UTC."""
    return ScheduleSpec(keys.pop("timezone", "UTC"), frequency=frequency, unit=unit, **keys)


@dataclass(frozen=True)
class Decision:
    """The one decision of a verdict, and where the task stands then."""

    action: str
    slot: datetime
    trigger: str
    reason: str
    missed: int
    blocked_by: int | None
    state: TaskState


def only(verdict: TaskDecision | None) -> Decision | None:
    """Return the one decision of a verdict."""
    if verdict is None:
        return None
    [made] = verdict.decisions
    return Decision(made.action, made.slot, made.trigger, made.reason, made.missed, made.blocked_by, verdict.state)


def decide(spec: ScheduleSpec, state: TaskState, running: int | None, now: datetime) -> Decision | None:
    """Decide under the policies that a task has which names none."""
    runs = () if running is None else (running,)
    return only(planning.decide(spec, Policy(), timedelta(0), state, runs, now))


def overtaken(spec: ScheduleSpec, state: TaskState, why: str, now: datetime) -> Decision | None:
    """Return how what an edit has overtaken is put on record."""
    return only(planning.skip_before_edit(spec, state, why, now))


def run_through(
    spec: ScheduleSpec, state: TaskState, ticks: Sequence[datetime], busy: frozenset[int] = frozenset()
) -> tuple[list[Decision], TaskState]:
    """Decide at each tick in turn; in those numbered `busy` an older run has not ended."""
    found = []
    for number, now in enumerate(ticks):
        decision = decide(spec, state, 7 if number in busy else None, now)
        if decision is not None:
            found.append(decision)
            state = decision.state
    return found, state


def seen(spec: ScheduleSpec, now: datetime = NOON) -> TaskState:
    """Return the state of a task first seen active at that instant."""
    return planning.first_seen(spec, active=True, now=now)


def assert_all_slots_decided(expected: list[datetime], found: list[Decision]) -> None:
    decided = [decision.slot for decision in found]
    assert decided == sorted(set(decided))
    assert set(decided) <= set(expected)
    # Each decision stands for exactly the slots between the one before and its own.
    begin = 0
    for decision in found:
        index = expected.index(decision.slot)
        assert decision.missed == index - begin
        begin = index + 1
    assert begin == len(expected)


@settings(max_examples=150)
@given(
    spec=st.sampled_from(SPECS),
    night=st.sampled_from(NIGHTS[:2]),
    first=st.integers(-4 * 86_400, 0),
    gaps=st.lists(st.one_of(st.integers(1, 130), st.integers(1, 90_000)), min_size=1, max_size=40),
    busy=st.frozensets(st.integers(0, 40), max_size=8),
)
def test_however_a_week_is_cut_into_ticks_each_slot_is_decided_once(
    spec: ScheduleSpec, night: Night, first: int, gaps: list[int], busy: frozenset[int]
) -> None:
    # Whole seconds: what fractions of them do is tested below.
    ticks = [night.change + first * timedelta(seconds=1)]
    for gap in gaps:
        ticks.append(ticks[-1] + gap * timedelta(seconds=1))
    state = seen(spec, ticks[0])
    schedule = spec.schedule(state.anchor)
    expected = slots(schedule, planning.minute_of(ticks[0]) - MICROSECOND, ticks[-1])
    found, final = run_through(spec, state, ticks, busy)
    assert_all_slots_decided(expected, found)
    assert final.next_slot == schedule.after(ticks[-1])
    assert final.watermark == (expected[-1] if expected else state.watermark)
    assert {decision.action for decision in found} <= {START, SKIP}


@settings(max_examples=60)
@given(
    expression=st.sampled_from(["*/20 * * * *", "0,30 0-3 * * *", "15 2 * * *", "7 * * * *"]),
    night=st.sampled_from(NIGHTS),
    gaps=st.lists(st.integers(1, 300), min_size=1, max_size=20),
)
def test_a_cron_task_is_started_in_the_minutes_of_debians_daemon(
    expression: str, night: Night, gaps: list[int]
) -> None:
    begin = night.change.replace(second=0) - 36 * HOUR
    ticks = [begin + 30 * HOUR]
    for gap in gaps:
        ticks.append(ticks[-1] + gap * MINUTE)
    spec = ScheduleSpec(night.zone, cron=expression)
    expected = debian_cron.slots(expression, night.zone, begin, begin + 140 * HOUR)
    found, _ = run_through(spec, seen(spec, ticks[0]), ticks)
    assert_all_slots_decided([slot for slot in expected if ticks[0] <= slot <= ticks[-1]], found)


@pytest.mark.parametrize("night", NIGHTS[:2], ids=str)
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_tick_in_each_minute_of_such_a_night_starts_each_slot_in_its_minute(spec: ScheduleSpec, night: Night) -> None:
    ticks = [night.change + n * MINUTE + LATE for n in range(-300, 300)]
    state = seen(spec, ticks[0])
    found, _ = run_through(spec, state, ticks)
    expected = slots(spec.schedule(state.anchor), ticks[0] - LATE - MICROSECOND, ticks[-1])
    assert [decision.slot for decision in found] == expected
    assert {(decision.trigger, decision.reason, decision.missed) for decision in found} <= {(SCHEDULE, "due", 0)}


@pytest.mark.parametrize("minutes", [1, 2, 4, 8])
def test_a_tick_that_catches_up_some_minutes_after_the_clock_went_back_comes_to_an_end(minutes: int) -> None:
    night = NIGHTS[1]
    spec = ScheduleSpec(BERLIN, cron="30 2 * * *")
    state = seen(spec, night.change - 3 * DAY)
    decision, _ = calls_of(lambda: decide(spec, state, None, night.change + minutes * MINUTE + LATE), 20_000)
    assert decision is not None
    assert decision.slot == at("2026-10-25 02:30", BERLIN)


@pytest.mark.parametrize("spec", [every(1), every(7), every(5, "hours"), every(1, "days"), every(1, "months")], ids=str)
def test_a_task_first_seen_is_due_at_once(spec: ScheduleSpec) -> None:
    state = seen(spec, NOON + 33 * timedelta(seconds=1))
    assert (state.anchor, state.last_run_slot, state.next_slot) == (NOON, None, NOON)
    decision = decide(spec, state, None, NOON + 34 * timedelta(seconds=1))
    assert decision is not None
    assert (decision.action, decision.slot, decision.trigger, decision.missed) == (START, NOON, SCHEDULE, 0)
    assert decision.state.last_run_slot == decision.state.watermark == NOON
    assert decision.state.next_slot == spec.schedule(NOON).after(NOON)


def test_a_cron_task_first_seen_in_its_minute_is_due_in_it() -> None:
    spec = ScheduleSpec("UTC", cron="0 12 * * *")
    assert seen(spec, NOON + LATE).next_slot == NOON
    assert seen(spec, NOON + MINUTE).next_slot == NOON + DAY


def test_a_task_first_seen_inactive_owes_nothing() -> None:
    state = planning.first_seen(every(1), active=False, now=NOON)
    assert state == TaskState()
    assert decide(every(1), state, None, NOON + DAY) is None


def test_slots_before_a_task_was_first_seen_are_not_owed() -> None:
    spec = every(1, "days", start="2026-01-01 08:00")
    assert seen(spec).next_slot == at("2026-06-11 08:00")


def test_nothing_is_decided_before_a_slot_and_no_slot_twice() -> None:
    spec = every(5)
    found, state = run_through(
        spec, seen(spec), [NOON, NOON, NOON + LATE, NOON + 4 * MINUTE, NOON + 5 * MINUTE - MICROSECOND]
    )
    assert [decision.slot for decision in found] == [NOON]
    assert decide(spec, state, None, NOON - DAY) is None
    again, _ = run_through(spec, state, [NOON + 5 * MINUTE, NOON + 5 * MINUTE, NOON + MINUTE])
    assert [decision.slot for decision in again] == [NOON + 5 * MINUTE]


def test_every_minute_runs_every_minute_however_late_each_tick_is() -> None:
    ticks = [NOON + n * MINUTE + timedelta(seconds=(n * 17) % 60) for n in range(500)]
    found, _ = run_through(every(1), seen(every(1)), ticks)
    assert [decision.slot for decision in found] == [NOON + n * MINUTE for n in range(500)]
    assert all(decision.trigger == SCHEDULE for decision in found)


@pytest.mark.parametrize(
    ("late", "trigger", "reason", "missed"),
    [
        (timedelta(0), SCHEDULE, "due", 0),
        (timedelta(seconds=59), SCHEDULE, "due", 0),
        (MINUTE - MICROSECOND, SCHEDULE, "due", 0),
        (MINUTE, CATCHUP, "caught up: no tick ran in its minute", 0),
        (59 * MINUTE, CATCHUP, "caught up: no tick ran in its minute", 0),
        (HOUR, CATCHUP, "caught up: covers 1 older slot, too", 1),
        (30 * HOUR, CATCHUP, "caught up: covers 30 older slots, too", 30),
    ],
)
def test_a_late_tick_says_so(late: timedelta, trigger: str, reason: str, missed: int) -> None:
    decision = decide(every(1, "hours"), seen(every(1, "hours")), None, NOON + late)
    assert decision is not None
    assert (decision.trigger, decision.reason, decision.missed) == (trigger, reason, missed)


def test_a_year_without_ticks_is_one_run_and_few_steps() -> None:
    spec = ScheduleSpec("UTC", cron="* * * * *")
    state = seen(spec)
    decision, calls = calls_of(lambda: decide(spec, state, None, NOON + 365 * DAY + LATE), 3_000_000)
    assert decision is not None
    assert decision.slot == NOON + 365 * DAY
    assert decision.missed == planning.MOST_MISSED
    assert decision.state.next_slot == NOON + 365 * DAY + MINUTE
    more, as_many = calls_of(lambda: decide(spec, state, None, NOON + 3650 * DAY + LATE), 3_000_000)
    assert more is not None
    assert as_many <= calls + 10_000


def test_a_task_that_is_running_skips_its_slot_and_says_which_run_it_was() -> None:
    spec = every(5)
    decision = decide(spec, replace(seen(spec), last_run_slot=NOON - DAY), 42, NOON + 12 * MINUTE)
    assert decision is not None
    assert (decision.action, decision.slot, decision.missed) == (SKIP, NOON + 10 * MINUTE, 2)
    assert decision.blocked_by == 42
    assert "run 42" in decision.reason
    assert decision.state.watermark == NOON + 10 * MINUTE
    assert decision.state.last_run_slot == NOON - DAY
    assert decision.state.next_slot == NOON + 15 * MINUTE


def test_after_the_end_nothing_is_due() -> None:
    spec = every(1, "hours", end="2026-06-10 14:00")
    found, state = run_through(spec, seen(spec), [NOON + n * HOUR for n in range(6)])
    assert [decision.slot for decision in found] == [NOON, NOON + HOUR, NOON + 2 * HOUR]
    assert state.next_slot is None


def test_the_last_slot_before_the_end_is_caught_up_after_it() -> None:
    spec = every(1, "hours", end="2026-06-10 14:00")
    decision = decide(spec, seen(spec), None, NOON + 9 * DAY)
    assert decision is not None
    assert (decision.slot, decision.missed, decision.state.next_slot) == (NOON + 2 * HOUR, 2, None)


# Edits


def edit(
    before: ScheduleSpec,
    after: ScheduleSpec,
    state: TaskState,
    now: datetime,
    *,
    was_active: bool = True,
    active: bool = True,
) -> TaskState:
    """Return the state after an edit."""
    return planning.changed(before, after, was_active=was_active, active=active, state=state, now=now)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("later", [timedelta(0), 3 * MINUTE, 9 * DAY])
def test_an_edit_that_leaves_the_schedule_as_it_is_changes_nothing(spec: ScheduleSpec, later: timedelta) -> None:
    _, state = run_through(spec, seen(spec), [NOON + n * HOUR for n in range(30)])
    assert edit(spec, replace(spec), state, NOON + 30 * HOUR + later) == state


def test_a_slot_that_is_due_when_another_part_of_the_file_is_edited_is_still_owed() -> None:
    state = seen(every(5))
    same = edit(every(5), every(5), state, NOON + 3 * MINUTE)
    decision = decide(every(5), same, None, NOON + 3 * MINUTE)
    assert decision is not None
    assert decision.slot == NOON


@pytest.mark.parametrize(
    ("after", "next_slot"),
    [
        (every(60), NOON + 90 * MINUTE),
        (every(1), NOON + 34 * MINUTE),
        (every(20), NOON + 50 * MINUTE),
        (every(1, "hours"), NOON + 90 * MINUTE),
        (every(1, "days"), NOON + DAY + 30 * MINUTE),
        (ScheduleSpec("UTC", cron="40 * * * *"), NOON + 40 * MINUTE),
        (every(1, "hours", start="2026-06-01 00:15"), NOON + 75 * MINUTE),
    ],
)
def test_a_changed_interval_counts_from_the_last_slot_that_was_run(after: ScheduleSpec, next_slot: datetime) -> None:
    found, state = run_through(every(10), seen(every(10)), [NOON + n * MINUTE + LATE for n in range(34)])
    assert found[-1].slot == NOON + 30 * MINUTE
    edited = edit(every(10), after, state, NOON + 34 * MINUTE)
    assert edited.anchor == NOON + 30 * MINUTE
    assert edited.next_slot == next_slot


def test_a_skipped_slot_is_no_anchor_for_a_changed_interval() -> None:
    ticks = [NOON, NOON + 10 * MINUTE]
    _, state = run_through(every(10), seen(every(10)), ticks, busy=frozenset({1}))
    assert edit(every(10), every(15), state, NOON + 11 * MINUTE).anchor == NOON


def test_a_changed_interval_of_a_task_that_never_ran_keeps_its_anchor() -> None:
    state = seen(every(1, "days", start="2027-01-01"))
    edited = edit(every(1, "days", start="2027-01-01"), every(7), state, NOON + HOUR)
    assert edited.anchor == NOON
    assert edited.next_slot == NOON + 63 * MINUTE


def test_a_changed_interval_never_owes_a_decided_slot_again() -> None:
    _, state = run_through(every(10), seen(every(10)), [NOON + LATE])
    assert edit(every(10), every(2), state, NOON + 2 * LATE).next_slot == NOON + 2 * MINUTE


def test_a_changed_end_keeps_the_grid() -> None:
    _, state = run_through(every(10), seen(every(10)), [NOON + n * MINUTE for n in range(25)])
    edited = edit(every(10), every(10, end="2026-12-31"), state, NOON + 25 * MINUTE)
    assert (edited.anchor, edited.next_slot) == (state.anchor, state.next_slot)


def test_slots_that_an_edit_has_overtaken_are_put_on_record_and_not_as_run() -> None:
    _, state = run_through(every(10), seen(every(10)), [NOON])
    decision = overtaken(every(10), state, "the schedule was edited", NOON + 40 * MINUTE + LATE)
    assert decision is not None
    # 12:40 itself is in the present minute: the new schedule's.
    assert (decision.action, decision.slot, decision.missed) == (SKIP, NOON + 30 * MINUTE, 2)
    assert (decision.trigger, decision.reason) == (SCHEDULE, "the schedule was edited")
    assert decision.state.watermark == NOON + 30 * MINUTE
    assert decision.state.last_run_slot == NOON


def test_an_edit_in_time_overtakes_nothing() -> None:
    _, state = run_through(every(10), seen(every(10)), [NOON])
    assert overtaken(every(10), state, "the schedule was edited", NOON + 10 * MINUTE + LATE) is None
    assert overtaken(every(10), TaskState(), "the schedule was edited", NOON + DAY) is None


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_slots_while_inactive_are_not_owed(spec: ScheduleSpec) -> None:
    _, state = run_through(spec, seen(spec), [NOON + n * HOUR for n in range(3)])
    paused = edit(spec, spec, state, NOON + 3 * HOUR, active=False)
    assert paused.next_slot is None
    assert decide(spec, paused, None, NOON + 9 * DAY) is None
    back = NOON + 100 * HOUR + LATE
    again = edit(spec, spec, paused, back, was_active=False)
    schedule = spec.schedule(state.anchor)
    assert again.anchor == state.anchor
    assert again.next_slot == schedule.after(planning.minute_of(back) - MICROSECOND)
    assert again.next_slot is not None
    assert again.next_slot >= planning.minute_of(back)


def test_a_task_that_is_switched_off_and_on_in_a_minute_does_not_run_twice_in_it() -> None:
    _, state = run_through(every(1), seen(every(1)), [NOON + LATE])
    off = edit(every(1), every(1), state, NOON + 2 * LATE, active=False)
    on = edit(every(1), every(1), off, NOON + 3 * LATE, was_active=False)
    assert on.next_slot == NOON + MINUTE


def test_a_task_first_active_long_after_it_was_seen_is_due_at_once() -> None:
    state = planning.first_seen(every(1, "days"), active=False, now=NOON)
    on = edit(every(1, "days"), every(1, "days"), state, NOON + 9 * HOUR + LATE, was_active=False)
    assert (on.anchor, on.next_slot) == (NOON + 9 * HOUR, NOON + 9 * HOUR)


def test_an_interval_that_is_changed_and_activated_at_once_counts_from_the_last_slot_that_was_run() -> None:
    _, state = run_through(every(7, "days"), seen(every(7, "days")), [NOON, NOON + 7 * DAY])
    off = edit(every(7, "days"), every(7, "days"), state, NOON + 8 * DAY, active=False)
    on = edit(every(7, "days"), every(10, "days"), off, NOON + 9 * DAY, was_active=False)
    assert on.next_slot == NOON + 17 * DAY


@pytest.mark.parametrize("together", [True, False], ids=["in-the-edit-that-pauses", "while-paused"])
def test_an_interval_that_is_changed_while_inactive_counts_from_the_last_slot_that_was_run(*, together: bool) -> None:
    before, after = every(7, "days"), every(10, "days")
    _, state = run_through(before, seen(before), [NOON, NOON + 7 * DAY])
    off = edit(before, after if together else before, state, NOON + 8 * DAY, active=False)
    if not together:
        off = edit(before, after, off, NOON + 9 * DAY, was_active=False, active=False)
    on = edit(after, after, off, NOON + 10 * DAY, was_active=False)
    assert on.anchor == NOON + 7 * DAY
    assert on.next_slot == NOON + 17 * DAY


def test_a_file_that_was_gone_goes_on_where_it_stood() -> None:
    _, state = run_through(every(10), seen(every(10)), [NOON, NOON + 10 * MINUTE])
    gone = replace(state, next_slot=None)
    back = edit(every(10), every(10), gone, NOON + 95 * MINUTE, was_active=False)
    assert back.next_slot == NOON + 100 * MINUTE


@settings(max_examples=80)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["tick", "tick", "edit", "pause", "resume"]), st.integers(0, 100), st.integers(1, 40)
        ),
        min_size=1,
        max_size=40,
    )
)
def test_whatever_is_edited_no_slot_is_decided_twice_and_none_lies_in_the_future(
    steps: list[tuple[str, int, int]],
) -> None:
    spec, active, now = every(10), True, NOON
    state = seen(spec)
    decided: list[datetime] = []
    for kind, minutes, frequency in steps:
        now += minutes * MINUTE
        if kind == "tick":
            found, state = run_through(spec, state, [now])
            assert active or not found
            decided += [decision.slot for decision in found]
            assert not found or found[0].slot <= now
            continue
        after = every(frequency) if kind == "edit" else spec
        will = active if kind == "edit" else kind == "resume"
        state = edit(spec, after, state, now, was_active=active, active=will)
        spec, active = after, will
        assert (state.next_slot is not None) == active
    assert decided == sorted(set(decided))


def test_the_beginning_of_a_minute_is_its_own() -> None:
    assert planning.minute_of(NOON + MINUTE - MICROSECOND) == NOON
    assert planning.minute_of(NOON) == NOON
