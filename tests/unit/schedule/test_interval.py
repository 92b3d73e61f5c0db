"""Grids of elapsed time and of the calendar, always counted from the anchor."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, NIGHTS, Night, at, schedule, slots, walls


def first_walls(count: int, zone: str, **fields: object) -> list[str]:
    """Return the wall times of a schedule's first slots."""
    made = schedule(zone, **fields)
    found: list[datetime] = []
    slot = made.after(datetime(1980, 1, 1, tzinfo=UTC))
    while slot is not None and len(found) < count:
        found.append(slot)
        slot = made.after(slot)
    return walls(found, zone)


@pytest.mark.parametrize(
    ("zone", "start", "expected"),
    [
        ("Europe/Berlin", "2026-03-28 02:30", ["03-28 02:30+0100", "03-29 03:30+0200", "03-30 02:30+0200"]),
        ("Europe/Berlin", "2026-03-29 02:30", ["03-29 03:30+0200", "03-30 02:30+0200", "03-31 02:30+0200"]),
        ("Europe/Berlin", "2026-10-24 02:30", ["10-24 02:30+0200", "10-25 02:30+0200", "10-26 02:30+0100"]),
        ("Europe/Berlin", "2026-10-24 03:00", ["10-24 03:00+0200", "10-25 03:00+0100", "10-26 03:00+0100"]),
        ("America/New_York", "2026-03-07 02:15", ["03-07 02:15-0500", "03-08 03:15-0400", "03-09 02:15-0400"]),
        ("America/New_York", "2026-10-31 01:15", ["10-31 01:15-0400", "11-01 01:15-0400", "11-02 01:15-0500"]),
        ("Australia/Lord_Howe", "2026-10-03 02:15", ["10-03 02:15+1030", "10-04 02:45+1100", "10-05 02:15+1100"]),
        ("Australia/Lord_Howe", "2026-04-04 01:45", ["04-04 01:45+1100", "04-05 01:45+1100", "04-06 01:45+1030"]),
        ("America/St_Johns", "2011-03-12 00:30", ["03-12 00:30-0330", "03-13 01:30-0230", "03-14 00:30-0230"]),
        ("America/St_Johns", "2010-11-06 23:30", ["11-06 23:30-0230", "11-07 23:30-0330", "11-08 23:30-0330"]),
        ("America/Caracas", "2007-12-08 02:45", ["12-08 02:45-0400", "12-09 02:45-0400", "12-10 02:45-0430"]),
        ("America/Caracas", "2016-04-30 02:45", ["04-30 02:45-0430", "05-01 03:15-0400", "05-02 02:45-0400"]),
        ("Asia/Pyongyang", "2015-08-14 23:45", ["08-14 23:45+0900", "08-15 23:45+0830", "08-16 23:45+0830"]),
        ("Asia/Pyongyang", "2018-05-03 23:45", ["05-03 23:45+0830", "05-05 00:15+0900", "05-05 23:45+0900"]),
        # The 30th did not happen: its slot is the same instant as that of the 31st, and is one slot.
        ("Pacific/Apia", "2011-12-29 12:00", ["12-29 12:00-1000", "12-31 12:00+1400", "01-01 12:00+1400"]),
        ("Africa/Cairo", "2026-04-23 00:00", ["04-23 00:00+0200", "04-24 01:00+0300", "04-25 00:00+0300"]),
        ("Africa/Cairo", "2026-10-28 23:30", ["10-28 23:30+0300", "10-29 23:30+0300", "10-30 23:30+0200"]),
        ("Africa/Casablanca", "2024-04-13 02:30", ["04-13 02:30+0000", "04-14 03:30+0100", "04-15 02:30+0100"]),
    ],
)
def test_a_daily_task_runs_once_a_day_on_every_night(zone: str, start: str, expected: list[str]) -> None:
    assert first_walls(3, zone, frequency=1, unit="days", start=start) == expected


def test_a_daily_task_at_half_past_two_runs_at_half_past_three_on_a_night_without_it() -> None:
    made = schedule("Europe/Berlin", frequency=1, unit="days", anchor=at("2026-03-01 02:30", "Europe/Berlin"))
    assert made.after(at("2026-03-28 12:00")) == at("2026-03-29 01:30")


@pytest.mark.parametrize(
    ("fields", "zone", "expected"),
    [
        ({"frequency": 1, "unit": "weeks", "start": "2026-03-22 02:30"}, "Europe/Berlin",
         ["03-22 02:30+0100", "03-29 03:30+0200", "04-05 02:30+0200"]),
        ({"frequency": 2, "unit": "weeks", "start": "2026-10-11 02:30"}, "Europe/Berlin",
         ["10-11 02:30+0200", "10-25 02:30+0200", "11-08 02:30+0100"]),
        ({"frequency": 1, "unit": "months", "start": "2026-01-29 02:30"}, "Europe/Berlin",
         ["01-29 02:30+0100", "02-28 02:30+0100", "03-29 03:30+0200", "04-29 02:30+0200"]),
        ({"frequency": 1, "unit": "months", "start": "2011-11-30 12:00"}, "Pacific/Apia",
         ["11-30 12:00-1000", "12-31 12:00+1400", "01-30 12:00+1400"]),
        ({"frequency": 1, "unit": "weeks", "start": "2011-12-23 12:00"}, "Pacific/Apia",
         ["12-23 12:00-1000", "12-31 12:00+1400", "01-06 12:00+1400"]),
        ({"frequency": 6, "unit": "hours", "start": "2026-03-28 20:00"}, "Europe/Berlin",
         ["03-28 20:00+0100", "03-29 03:00+0200", "03-29 09:00+0200"]),
        ({"frequency": 30, "unit": "minutes", "start": "2026-10-25 02:00"}, "Europe/Berlin",
         ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100", "10-25 03:00+0100"]),
        ({"frequency": 24, "unit": "hours", "start": "2026-03-28 02:30"}, "Europe/Berlin",
         ["03-28 02:30+0100", "03-29 03:30+0200", "03-30 03:30+0200"]),
        ({"frequency": 1, "unit": "hours", "start": "2011-12-29 22:00"}, "Pacific/Apia",
         ["12-29 22:00-1000", "12-29 23:00-1000", "12-31 00:00+1400", "12-31 01:00+1400"]),
    ],
)  # fmt: skip
def test_other_intervals_on_such_nights(fields: dict[str, object], zone: str, expected: list[str]) -> None:
    assert first_walls(len(expected), zone, **fields) == expected


@pytest.mark.parametrize(
    ("start", "frequency", "expected"),
    [
        ("2026-01-31", 1, ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30"]),
        ("2027-12-31", 1, ["12-31", "01-31", "02-29", "03-31"]),
        ("2024-02-29", 12, ["02-29", "02-28", "02-28", "02-28", "02-29"]),
        ("2026-01-30", 1, ["01-30", "02-28", "03-30"]),
        ("2026-08-31", 6, ["08-31", "02-28", "08-31", "02-29"]),
        ("2026-11-30", 3, ["11-30", "02-28", "05-30", "08-30"]),
        ("2096-02-29", 48, ["02-29", "02-28", "02-29"]),
    ],
)
def test_month_ends_and_leap_years_clamp_from_the_anchor(start: str, frequency: int, expected: list[str]) -> None:
    found = first_walls(len(expected), "UTC", frequency=frequency, unit="months", start=start)
    assert [wall[:5] for wall in found] == expected


def test_an_anchor_in_the_second_half_past_two_is_a_first_slot_of_its_own() -> None:
    anchor = at("2026-10-25 02:30", "Europe/Berlin", fold=1)
    made = schedule("Europe/Berlin", frequency=1, unit="days", anchor=anchor)
    assert made.after(anchor - MICROSECOND) == anchor
    assert made.after(anchor) == at("2026-10-26 02:30", "Europe/Berlin")


def test_the_anchor_is_the_first_slot_and_no_slot_comes_before() -> None:
    anchor = at("2026-06-01 12:34")
    for unit in ("minutes", "hours", "days", "weeks", "months", "minute", "month"):
        made = schedule("Europe/Berlin", frequency=3, unit=unit, anchor=anchor)
        assert made.after(at("1999-01-01")) == anchor
        following = made.after(anchor)
        assert following is not None
        assert following > anchor


def test_start_wins_over_anchor() -> None:
    made = schedule(frequency=1, unit="days", start="2026-01-01 08:00", anchor=at("2026-06-01 12:34"))
    assert made.after(at("2026-06-02")) == at("2026-06-02 08:00")


@given(
    frequency=st.integers(1, 5000),
    unit=st.sampled_from(["minutes", "hours"]),
    asked=st.integers(0, 10**9),
    index=st.integers(0, 10_000),
)
def test_an_elapsed_grid_is_anchor_plus_whole_steps(frequency: int, unit: str, asked: int, index: int) -> None:
    anchor = at("2026-03-20 11:17")
    step = frequency * (MINUTE if unit == "minutes" else HOUR)
    made = schedule("Europe/Berlin", frequency=frequency, unit=unit, anchor=anchor)
    point = anchor + index * step
    assert made.after(point - MICROSECOND) == point
    assert made.after(point) == point + step
    answer = made.after(anchor + asked * timedelta(seconds=1))
    assert answer is not None
    assert (answer - anchor) % step == timedelta(0)
    assert timedelta(0) < answer - (anchor + asked * timedelta(seconds=1)) <= step


def _naive_grid(start: datetime, frequency: int, unit: str, count: int) -> list[datetime]:
    """Return wall times by the calendar alone: start plus k steps, a missing day becoming the month's last."""
    if unit != "months":
        return [start + timedelta(days=(7 if unit == "weeks" else 1) * frequency * k) for k in range(count)]
    found = []
    for k in range(count):
        year, month = start.year, start.month + frequency * k
        while month > len("JFMAMJJASOND"):
            year, month = year + 1, month - 12
        found.append(start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1])))
    return found


@given(
    night=st.sampled_from(NIGHTS),
    frequency=st.integers(1, 9),
    unit=st.sampled_from(["days", "weeks", "months"]),
    steps=st.integers(0, 12),
    minute=st.integers(-200, 200),
    asked=st.lists(st.integers(-5 * 1440, 5 * 1440), max_size=8),
)
def test_a_calendar_grid_is_the_calendars(  # every argument is drawn
    night: Night, frequency: int, unit: str, steps: int, minute: int, asked: list[int]
) -> None:
    wall = (night.change.astimezone(night.tz) + minute * MINUTE).replace(tzinfo=None, second=0, fold=0)
    days = {"days": 1, "weeks": 7, "months": 31}[unit] * frequency * steps
    start = wall - timedelta(days=days)
    assume(start.year > 1900)
    made = schedule(night.zone, frequency=frequency, unit=unit, start=start)
    grid = _naive_grid(start, frequency, unit, steps + 6)
    points = sorted({point.replace(tzinfo=ZoneInfo(night.zone)).astimezone(UTC) for point in grid})
    assert slots(made, points[0] - MICROSECOND, points[-1]) == points
    for minutes in asked:
        instant = night.change + minutes * MINUTE
        later = [point for point in points if point > instant]
        if later:
            assert made.after(instant) == later[0]


@pytest.mark.parametrize(
    ("frequency", "unit"),
    [(10**12, "minutes"), (10**9, "hours"), (10**8, "days"), (10**9, "weeks"), (200_000, "months")],
)
def test_an_interval_longer_than_the_calendar_has_its_anchor_only(frequency: int, unit: str) -> None:
    anchor = at("2026-01-01")
    made = schedule("America/New_York", frequency=frequency, unit=unit, anchor=anchor)
    assert made.after(anchor - DAY) == anchor
    assert made.after(anchor) is None
    assert made.latest(anchor - DAY, at("2027-01-01")) == anchor
