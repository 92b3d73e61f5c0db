"""What holds for every schedule, whatever its rule."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.schedule import Schedule
from tests.support.nights import DAY, MICROSECOND, MINUTE, NIGHTS, Night, at, calls_of, schedule, slots

Fields = dict[str, object]

SAMPLES: tuple[Fields, ...] = (
    {"frequency": 7, "unit": "minutes"},
    {"frequency": 5, "unit": "hours"},
    {"frequency": 1, "unit": "days"},
    {"frequency": 2, "unit": "weeks"},
    {"frequency": 1, "unit": "months"},
    {"cron": "*/13 * * * *"},
    {"cron": "30 0-3 * * *"},
    {"cron": "0 12 * * mon-fri"},
    {"cron": "15 2 1 * *"},
    {"rrule": "FREQ=HOURLY;INTERVAL=5"},
    {"rrule": "FREQ=MINUTELY;INTERVAL=45;BYHOUR=0,1,2,3"},
    {"rrule": "FREQ=DAILY;BYHOUR=0,2,3;BYMINUTE=15"},
    {"rrule": "FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30"},
)

nights = st.sampled_from(NIGHTS)
samples = st.sampled_from(SAMPLES)


def made(fields: Fields, night: Night) -> Schedule:
    """Return the schedule, anchored so that its own slots fall into the night."""
    return schedule(night.zone, anchor=night.change - 41 * DAY + 30 * MINUTE, **fields)


@settings(max_examples=150)
@given(
    night=nights, fields=samples, begin=st.integers(-5000, 3000), length=st.integers(0, 4000), late=st.integers(0, 59)
)
def test_latest_is_the_last_that_after_finds(night: Night, fields: Fields, begin: int, length: int, late: int) -> None:
    rule = made(fields, night)
    # Whole seconds: what fractions of them do is tested in test_cron.py.
    after = night.change + begin * MINUTE + timedelta(seconds=late)
    until = after + length * MINUTE
    found = slots(rule, after, until)
    assert rule.latest(after, until) == (found[-1] if found else None)
    assert rule.count(after, until, 10_000) == len(found)


@settings(max_examples=150)
@given(night=nights, fields=samples, asked=st.lists(st.integers(-5000, 5000), min_size=2, max_size=12))
def test_after_is_later_and_grows_with_the_question(night: Night, fields: Fields, asked: list[int]) -> None:
    rule = made(fields, night)
    before: datetime | None = None
    for minutes in sorted(asked):
        instant = night.change + minutes * MINUTE
        answer = rule.after(instant)
        assert answer is not None
        assert answer > instant
        assert answer.second == answer.microsecond == 0
        assert before is None or answer >= before
        # The answer is a slot however it is asked for, and nothing lies between.
        assert rule.after(answer - MICROSECOND) == answer
        assert rule.after(instant + (answer - instant) // 2) == answer
        before = answer


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"frequency": 1, "unit": "minutes"}, MINUTE),
        ({"frequency": 7, "unit": "minutes"}, 7 * MINUTE),
        ({"frequency": 11, "unit": "hours"}, timedelta(hours=11)),
        ({"cron": "* * * * *"}, MINUTE),
    ],
    ids=["every-minute", "every-7-minutes", "every-11-hours", "cron"],
)
def test_ten_thousand_slots_do_not_drift(fields: Fields, step: timedelta) -> None:
    begin = at("2026-03-25 12:34")
    rule = schedule("Europe/Berlin", anchor=begin, **fields)
    slot: datetime | None = begin - MINUTE if "cron" in fields else begin - MICROSECOND
    for index in range(10_000):
        assert slot is not None
        slot = rule.after(slot)
        assert slot == begin + index * step


@pytest.mark.parametrize(
    "fields", [{"frequency": 1, "unit": "days"}, {"rrule": "FREQ=DAILY"}, {"cron": "30 2 * * *"}], ids=["interval", "rrule", "cron"]
)  # fmt: skip
def test_a_daily_task_is_daily_for_years(fields: Fields) -> None:
    count = 10_000 if "frequency" in fields else 1_500
    rule = schedule("Europe/Berlin", start="2026-01-01 02:30", **fields)
    zone = rule.zone
    slot: datetime | None = at("2025-12-31 12:00")
    for index in range(count):
        assert slot is not None
        slot = rule.after(slot)
        assert slot is not None
        wall = slot.astimezone(zone)
        assert wall.date() == (datetime(2026, 1, 1) + index * DAY).date()  # noqa: DTZ001 - a wall time is naive
        if (wall.hour, wall.minute) != (2, 30):
            assert wall.month == 3
            assert (wall.hour, wall.minute) == ((3, 0) if "cron" in fields else (3, 30))


def cost_of_after(rule: Schedule, when: str) -> int:
    """Return how many calls it takes to find a slot."""
    answer, calls = calls_of(lambda: rule.after(at(when)))
    assert answer is not None
    return calls


@pytest.mark.parametrize("fields", SAMPLES, ids=str)
def test_a_far_question_costs_no_more_than_a_near_one(fields: Fields) -> None:
    rule = schedule("Europe/Berlin", anchor=at("2026-01-01 12:34"), **fields)
    near = max(cost_of_after(rule, when) for when in ("2026-02-03 04:05", "2026-02-03 04:06"))
    for far in ("2126-02-03 04:05", "3026-02-03 04:05", "9026-02-03 04:05"):
        assert cost_of_after(rule, far) <= 3 * near + 300


@pytest.mark.parametrize("fields", SAMPLES, ids=str)
def test_the_latest_slot_costs_the_same_after_a_day_and_after_a_century(fields: Fields) -> None:
    rule = schedule("Europe/Berlin", anchor=at("1950-01-01 12:34"), **fields)
    until = at("2026-02-03 04:05")
    near, few = calls_of(lambda: rule.latest(until - 60 * DAY, until))
    far, many = calls_of(lambda: rule.latest(at("1950-02-01"), until))
    assert near == far
    assert many <= 2 * few + 300


def test_a_schedule_with_one_slot_long_ago_is_answered_in_few_steps() -> None:
    rule = schedule(cron="0 0 29 2 *", start="2000-01-01", end="2000-12-31")
    answer, calls = calls_of(lambda: rule.latest(at("1999-01-01"), at("2026-01-01")), 200_000)
    assert answer == at("2000-02-29")
    assert calls < 50_000


@pytest.mark.parametrize("fields", SAMPLES, ids=str)
def test_the_end_of_the_calendar_is_no_crash(fields: Fields) -> None:
    for zone in ("America/New_York", "Pacific/Kiritimati", "UTC"):
        rule = schedule(zone, anchor=at("2026-01-01 12:34"), **fields)
        last = datetime.max.replace(tzinfo=at("2026-01-01").tzinfo)
        assert rule.after(last) is None
        shortly_before = rule.after(last - 40 * DAY)
        assert shortly_before is None or shortly_before > last - 40 * DAY
