"""Policies for late slots, slots during another run, slots with jitter, and failed attempts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import planning
from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.model.retry import ONCE, Retry
from runner.model.state import SKIP, START, Decision, TaskDecision, TaskState
from runner.model.task import Policy, ScheduleSpec
from runner.operations.ticking.outcome import decide_outcome
from runner.value import replace
from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, NIGHTS, Night, at, slots

SECOND = timedelta(seconds=1)
#: Cron comes some milliseconds after the minute has begun.
LATE = timedelta(milliseconds=20)
NOON = at("2026-06-10 12:00")
NO_JITTER = timedelta(0)
MINUTELY = ScheduleSpec("UTC", frequency=1, unit="minutes")

CATCHUPS = ("none", "latest", "all")
CONCURRENCIES = ("forbid", "allow", "replace")
ZONELESS = (
    {"frequency": 1, "unit": "minutes"},
    {"frequency": 37, "unit": "minutes"},
    {"frequency": 1, "unit": "days"},
    {"cron": "*/20 * * * *"},
    {"cron": "30 2 * * *"},
    {"cron": "0,30 0-3 * * *"},
    {"rrule": "FREQ=HOURLY;BYMINUTE=0,30"},
)


def seen(spec: ScheduleSpec = MINUTELY, now: datetime = NOON) -> TaskState:
    """Return the state of a task first seen active at that instant."""
    return planning.first_seen(spec, active=True, now=now)


def decide(
    policy: Policy,
    now: datetime,
    state: TaskState | None = None,
    running: tuple[int, ...] = (),
    offset: timedelta = NO_JITTER,
    spec: ScheduleSpec = MINUTELY,
) -> TaskDecision | None:
    """Decide about a task that was seen at noon for the first time and is due every minute."""
    return planning.decide(spec, policy, offset, state or seen(spec), running, now)


def told(verdict: TaskDecision | None) -> list[tuple[str, int, int]]:
    """Return each decision as action, minutes after noon, and older slots that it stands for."""
    made = () if verdict is None else verdict.decisions
    return [(decision.action, (decision.slot - NOON) // MINUTE, decision.missed) for decision in made]


def run_through(
    spec: ScheduleSpec, policy: Policy, offset: timedelta, ticks: Sequence[datetime], busy: frozenset[int]
) -> tuple[list[Decision], TaskState]:
    """Decide at each tick in turn; in those numbered `busy` an older run has not ended."""
    state = seen(spec, ticks[0])
    found: list[Decision] = []
    for number, now in enumerate(ticks):
        verdict = planning.decide(spec, policy, offset, state, (7,) if number in busy else (), now)
        if verdict is not None:
            found += verdict.decisions
            state = verdict.state
    return found, state


def assert_each_slot_decided_once(expected: list[datetime], found: list[Decision]) -> None:
    decided = [decision.slot for decision in found]
    assert decided == sorted(set(decided))
    begin = 0
    for decision in found:
        index = expected.index(decision.slot)
        assert decision.missed == index - begin, decision
        begin = index + 1
    assert begin == len(expected)


@settings(max_examples=200)
@given(
    fields=st.sampled_from(ZONELESS),
    night=st.sampled_from(NIGHTS),
    catchup=st.sampled_from(CATCHUPS),
    concurrency=st.sampled_from(CONCURRENCIES),
    deadline=st.one_of(st.none(), st.integers(1, 90_000).map(lambda seconds: seconds * SECOND)),
    offset=st.one_of(st.just(0), st.integers(1, 200), st.integers(1, 90_000)).map(lambda seconds: seconds * SECOND),
    first=st.integers(-2 * 86_400, 0),
    gaps=st.lists(st.one_of(st.integers(1, 130), st.integers(1, 20_000)), min_size=1, max_size=30),
    busy=st.frozensets(st.integers(0, 30), max_size=8),
)
def test_however_such_a_night_is_cut_into_ticks_each_slot_is_decided_once_under_every_policy(
    fields: dict[str, object],
    night: Night,
    catchup: str,
    concurrency: str,
    deadline: timedelta | None,
    offset: timedelta,
    first: int,
    gaps: list[int],
    busy: frozenset[int],
) -> None:
    spec = ScheduleSpec(night.zone, **fields)  # type: ignore[arg-type] # as in the table
    policy = Policy(concurrency, catchup, deadline)
    ticks = [night.change + first * SECOND + LATE]
    for gap in gaps:
        ticks.append(ticks[-1] + gap * SECOND)
    made = spec.schedule(seen(spec, ticks[0]).anchor)
    everything = slots(made, planning.minute_of(ticks[0]) - MICROSECOND, ticks[-1])
    expected = [slot for slot in everything if planning.due_at(slot, offset) <= ticks[-1]]

    found, final = run_through(spec, policy, offset, ticks, busy)

    assert_each_slot_decided_once(expected, found)
    assert final.watermark == (expected[-1] if expected else seen(spec, ticks[0]).watermark)
    assert final.last_run_slot == max((it.slot for it in found if it.action == START), default=None)
    for decision in found:
        assert decision.due_at == (decision.slot + offset if decision.action == START else None)


@settings(max_examples=60)
@given(
    fields=st.sampled_from(ZONELESS),
    night=st.sampled_from(NIGHTS),
    offset=st.integers(0, 4_000).map(lambda seconds: seconds * SECOND),
)
def test_a_tick_each_minute_decides_each_slot_in_the_minute_in_which_its_jitter_ends(
    fields: dict[str, object], night: Night, offset: timedelta
) -> None:
    spec = ScheduleSpec(night.zone, **fields)  # type: ignore[arg-type] # as in the table
    begin = planning.minute_of(night.change) - 3 * HOUR
    state = seen(spec, begin)
    made = spec.schedule(state.anchor)
    found = []
    for number in range(7 * 60):
        now = begin + number * MINUTE + LATE
        verdict = planning.decide(spec, Policy(), offset, state, (), now)
        if verdict is None:
            continue
        state = verdict.state
        [decision] = verdict.decisions
        found.append(decision.slot)
        assert (decision.action, decision.trigger, decision.reason) == (START, "schedule", "due")
        assert planning.minute_of(decision.slot + offset) == planning.minute_of(now)

    end = begin + 7 * HOUR - MICROSECOND
    assert found == [slot for slot in slots(made, begin - MICROSECOND, end) if planning.due_at(slot, offset) <= end]


@given(st.text(min_size=1, max_size=60), st.integers(1, 10**7))
def test_jitter_is_whole_seconds_below_its_bound_and_the_same_each_time(task_id: str, seconds: int) -> None:
    policy = Policy(jitter=seconds * SECOND)
    offset = policy.offset(task_id)
    assert timedelta(0) <= offset < policy.jitter
    assert offset == offset // SECOND * SECOND
    assert offset == Policy(jitter=seconds * SECOND).offset(task_id)


def test_jitter_is_the_same_on_every_host_and_python() -> None:
    # Written down: another release must not move the tasks of those who have spread them.
    offsets = {name: Policy(jitter=HOUR).offset(name) for name in ("a", "billing/report", "sync/crm")}
    assert {name: offset // SECOND for name, offset in offsets.items()} == {
        "a": 1107,
        "billing/report": 1343,
        "sync/crm": 1957,
    }


def test_jitter_spreads_tasks_over_all_of_its_time() -> None:
    offsets = [Policy(jitter=MINUTE).offset(f"team/task-{number}") // SECOND for number in range(600)]
    assert set(offsets) == set(range(60))


def test_without_jitter_nothing_is_moved() -> None:
    assert Policy().offset("a") == Policy(jitter=SECOND).offset("a") == timedelta(0)


# catchup


@pytest.mark.parametrize(
    ("catchup", "minutes", "expected"),
    [
        ("none", 0, [(START, 0, 0)]),
        ("none", 1, [(SKIP, 0, 0), (START, 1, 0)]),
        ("none", 9, [(SKIP, 8, 8), (START, 9, 0)]),
        ("latest", 0, [(START, 0, 0)]),
        ("latest", 9, [(START, 9, 9)]),
        ("all", 0, [(START, 0, 0)]),
        ("all", 3, [(START, minute, 0) for minute in range(4)]),
        ("all", 99, [(START, minute, 0) for minute in range(100)]),
        ("all", 100, [(SKIP, 0, 0), *((START, minute, 0) for minute in range(1, 101))]),
        ("all", 250, [(SKIP, 150, 150), *((START, minute, 0) for minute in range(151, 251))]),
    ],
)
def test_what_is_done_about_slots_that_nobody_ticked_for(
    catchup: str, minutes: int, expected: list[tuple[str, int, int]]
) -> None:
    assert told(decide(Policy(catchup=catchup), NOON + minutes * MINUTE + LATE)) == expected


def test_a_slot_that_is_the_last_for_long_and_missed_is_not_run_without_catchup() -> None:
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    verdict = decide(Policy(catchup="none"), NOON + MINUTE, spec=daily)
    assert told(verdict) == [(SKIP, 0, 0)]
    assert verdict is not None
    assert verdict.decisions[0].reason == "missed: no tick ran in its minute (catchup: none)"
    assert verdict.state.last_run_slot is None
    assert verdict.state.next_slot == NOON + DAY


def test_more_than_a_hundred_missed_slots_say_so() -> None:
    verdict = decide(Policy(catchup="all"), NOON + 250 * MINUTE)
    assert verdict is not None
    assert verdict.decisions[0].reason == "missed: more than 100 slots were missed (catchup: all)"


def test_a_year_of_missed_minutes_is_a_hundred_runs_and_one_row() -> None:
    verdict = decide(Policy(catchup="all"), NOON + 365 * DAY)
    assert verdict is not None
    gone, *started = verdict.decisions
    assert gone.action == SKIP
    assert [decision.slot for decision in started] == [NOON + 365 * DAY - n * MINUTE for n in reversed(range(100))]
    assert gone.slot == started[0].slot - MINUTE
    assert verdict.state.next_slot == NOON + 365 * DAY + MINUTE


# starting_deadline


@pytest.mark.parametrize(
    ("late", "expected"), [(5 * MINUTE, START), (5 * MINUTE + MICROSECOND, SKIP), (DAY - MINUTE, SKIP)]
)
@pytest.mark.parametrize("catchup", ["latest", "all"])
def test_a_slot_later_than_its_deadline_is_missed(catchup: str, late: timedelta, expected: str) -> None:
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    verdict = decide(Policy(catchup=catchup, starting_deadline=5 * MINUTE), NOON + late, spec=daily)
    assert told(verdict) == [(expected, 0, 0)]
    if expected == SKIP:
        assert verdict is not None
        assert verdict.decisions[0].reason == "missed: its starting deadline of 5m had passed"


def test_only_the_slots_within_the_deadline_are_caught_up() -> None:
    verdict = decide(Policy(catchup="all", starting_deadline=3 * MINUTE), NOON + 10 * MINUTE)
    assert told(verdict) == [(SKIP, 6, 6), *((START, minute, 0) for minute in (7, 8, 9, 10))]


def test_slots_beyond_a_hundred_and_beyond_the_deadline_are_one_row() -> None:
    verdict = decide(Policy(catchup="all", starting_deadline=50 * MINUTE), NOON + 300 * MINUTE)
    assert told(verdict) == [(SKIP, 249, 249), *((START, minute, 0) for minute in range(250, 301))]


def test_a_deadline_counts_from_the_end_of_the_jitter() -> None:
    offset = 20 * MINUTE
    policy = Policy(starting_deadline=5 * MINUTE)
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    assert told(decide(policy, NOON + 25 * MINUTE, offset=offset, spec=daily)) == [(START, 0, 0)]
    assert told(decide(policy, NOON + 25 * MINUTE + LATE, offset=offset, spec=daily)) == [(SKIP, 0, 0)]


# jitter


def test_a_slot_is_not_decided_before_the_minute_in_which_its_jitter_ends() -> None:
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    offset = 150 * SECOND
    assert decide(Policy(), NOON + 2 * MINUTE - MICROSECOND, offset=offset, spec=daily) is None
    verdict = decide(Policy(), NOON + 2 * MINUTE, offset=offset, spec=daily)
    assert told(verdict) == [(START, 0, 0)]
    assert verdict is not None
    assert verdict.decisions[0].due_at == NOON + 150 * SECOND


@pytest.mark.parametrize("late", [MINUTE, MINUTE + LATE, 2 * MINUTE - MICROSECOND])
def test_a_slot_whose_jitter_ended_in_a_minute_without_a_tick_is_late(late: timedelta) -> None:
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    assert told(decide(Policy(catchup="none"), NOON + late, offset=30 * SECOND, spec=daily)) == [(SKIP, 0, 0)]


def test_jitter_longer_than_the_interval_shifts_every_slot_and_loses_none() -> None:
    ticks = [NOON + number * MINUTE + LATE for number in range(200)]
    found, _ = run_through(MINUTELY, Policy(), 90 * MINUTE + 7 * SECOND, ticks, frozenset())
    assert [decision.slot for decision in found] == [NOON + number * MINUTE for number in range(110)]
    assert {decision.reason for decision in found} == {"due"}


# concurrency_policy


def test_forbid_lets_missed_slots_wait_for_their_turn_where_all_are_to_be_caught_up() -> None:
    assert told(decide(Policy("forbid", "all"), NOON + 3 * MINUTE, running=(3, 5))) == [
        (START, minute, 0) for minute in range(4)
    ]
    assert told(decide(Policy("forbid", "all"), NOON + LATE, running=(3, 5))) == [(SKIP, 0, 0)]


@pytest.mark.parametrize("catchup", ["none", "latest"])
def test_forbid_skips_what_is_due_behind_a_run_as_one_decision(catchup: str) -> None:
    verdict = decide(Policy("forbid", catchup), NOON + 3 * MINUTE, running=(3, 5))
    assert told(verdict) == [(SKIP, 3, 3)]
    assert verdict is not None
    assert (verdict.decisions[0].blocked_by, verdict.decisions[0].replaces) == (5, ())
    assert verdict.decisions[0].reason == "the task is still running (run 5)"


@pytest.mark.parametrize("catchup", CATCHUPS)
def test_allow_starts_beside_others_and_names_none(catchup: str) -> None:
    verdict = decide(Policy("allow", catchup), NOON + LATE, running=(3, 5))
    assert told(verdict) == [(START, 0, 0)]
    assert verdict is not None
    assert (verdict.decisions[0].blocked_by, verdict.decisions[0].replaces) == (None, ())


@pytest.mark.parametrize("catchup", CATCHUPS)
def test_replace_starts_and_names_all_that_end_before_it(catchup: str) -> None:
    verdict = decide(Policy("replace", catchup), NOON + LATE, running=(3, 5))
    assert told(verdict) == [(START, 0, 0)]
    assert verdict is not None
    assert verdict.decisions[0].replaces == (3, 5)


def test_replace_with_catchup_all_starts_one_run_that_stands_for_the_others() -> None:
    # Each would end the one before it.
    assert told(decide(Policy("replace", "all"), NOON + 5 * MINUTE)) == [(START, 5, 5)]


def test_replace_ends_nobody_for_a_slot_that_is_missed() -> None:
    daily = ScheduleSpec("UTC", frequency=1, unit="days")
    policy = Policy("replace", "latest", starting_deadline=MINUTE)
    verdict = decide(policy, NOON + HOUR, running=(3,), spec=daily)
    assert verdict is not None
    assert [(decision.action, decision.replaces) for decision in verdict.decisions] == [(SKIP, ())]


# retry


RETRIES = st.builds(
    Retry,
    attempts=st.integers(1, 100),
    delay=st.integers(0, 36_500 * 86_400).map(lambda seconds: seconds * SECOND),
    backoff=st.floats(1, 100),
    max_delay=st.integers(0, 36_500 * 86_400).map(lambda seconds: seconds * SECOND),
)


@settings(max_examples=300)
@given(RETRIES)
def test_waits_begin_with_the_delay_never_shrink_and_never_pass_the_longest(retry: Retry) -> None:
    waits = [retry.wait_after(attempt) for attempt in range(1, 101)]
    assert waits[0] == min(retry.delay, retry.max_delay)
    assert waits == sorted(waits)
    assert max(waits) <= retry.max_delay


@given(RETRIES, st.integers(1, 100))
def test_the_last_attempt_is_followed_by_none(retry: Retry, attempt: int) -> None:
    following = retry.next_at(attempt, NOON)
    assert (following is None) == (attempt >= retry.attempts)
    if following is not None:
        assert following == NOON + retry.wait_after(attempt)


@pytest.mark.parametrize(
    ("retry", "seconds"),
    [
        (Retry(9), [30, 60, 120, 240, 480, 960, 1920, 3600]),
        (Retry(5, backoff=1), [30, 30, 30, 30]),
        (Retry(5, 10 * SECOND, 1.5, 30 * SECOND), [10, 15, 22.5, 30]),
        (Retry(4, timedelta(0), 100), [0, 0, 0]),
        (Retry(4, HOUR, 2, MINUTE), [60, 60, 60]),
        (Retry(3, MINUTE, 3, timedelta(0)), [0, 0]),
    ],
)
def test_how_long_each_wait_is(retry: Retry, seconds: list[float]) -> None:
    waits = [retry.wait_after(attempt).total_seconds() for attempt in range(1, retry.attempts)]
    assert waits == seconds


@pytest.mark.parametrize("attempt", [99, 155, 1_000, 10**6])
def test_a_wait_beyond_all_numbers_is_the_longest(attempt: int) -> None:
    assert Retry(10**7, HOUR, 100.0, 36_500 * DAY).wait_after(attempt) == 36_500 * DAY


# What the end of an attempt means


def result_of(status: str, *, began: bool = True, reason: str | None = "why") -> AttemptResult:
    """Return the end of an attempt, a minute past noon."""
    return AttemptResult(status, NOON if began else None, NOON + MINUTE, reason)


def job(attempt: int = 1, retry: Retry = ONCE) -> Job:
    """Return an attempt of run 1."""
    plain = {"task": "a", "path": "tasks/a.yaml", "code": "", "code_line": 1, "timezone": "UTC"}
    return Job(run_id=1, timeout=HOUR, kill_grace=SECOND, attempt=attempt, retry=retry, **plain)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["failed", "timed_out", "lost", "cancelled"])
@pytest.mark.parametrize(
    ("attempt", "attempts", "asked", "said", "waits"),
    [
        (1, 1, False, "why", None),
        (1, 3, False, "attempt 1 of 3: why", 30),
        (2, 3, False, "attempt 2 of 3: why", 60),
        (3, 3, False, "attempt 3 of 3: why", None),
        (1, 3, True, "why", None),
        (2, 3, True, "attempt 2 of 3: why", None),
    ],
)
def test_what_becomes_of_a_run_whose_attempt_did_not_succeed(
    status: str, attempt: int, attempts: int, *, asked: bool, said: str, waits: int | None
) -> None:
    meant = decide_outcome(job(attempt, Retry(attempts)), result_of(status), asked=asked)
    assert meant.reason == said
    assert meant.retry_at == (None if waits is None else NOON + MINUTE + waits * SECOND)


def test_an_attempt_that_never_began_is_not_repeated() -> None:
    assert decide_outcome(job(1, Retry(3)), result_of("failed", began=False), asked=False).retry_at is None


def test_an_attempt_that_ended_without_a_reason_is_told_by_its_status() -> None:
    assert (
        decide_outcome(job(1, Retry(2)), result_of("failed", reason=None), asked=False).reason
        == "attempt 1 of 2: failed"
    )


def test_success_ends_it_and_says_at_which_attempt() -> None:
    first = decide_outcome(job(1, Retry(3)), result_of("succeeded", reason=None), asked=False)
    third = decide_outcome(job(3, Retry(3)), result_of("succeeded", reason=None), asked=False)
    assert (first.reason, first.retry_at) == (None, None)
    assert (third.reason, third.retry_at) == ("succeeded at attempt 3", None)


def test_a_run_that_succeeded_though_it_was_asked_to_end_has_succeeded() -> None:
    assert decide_outcome(job(1, Retry(3)), result_of("succeeded", reason=None), asked=True).retry_at is None


def test_a_task_without_retry_is_tried_once() -> None:
    assert ONCE.attempts == 1
    assert ONCE.next_at(1, NOON) is None
    assert replace(Policy(), jitter=HOUR).concurrency_policy == "forbid"
