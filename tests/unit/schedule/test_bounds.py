"""`start`, `end`, `timezone`, and which keys make a schedule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from runner.errors import ScheduleError
from runner.schedule import parse_schedule
from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, at, schedule, slots

BERLIN = "Europe/Berlin"
KINDS: list[dict[str, object]] = [
    {"frequency": 1, "unit": "hours"},
    {"cron": "0 * * * *"},
    {"rrule": "FREQ=HOURLY"},
]


@pytest.mark.parametrize("kind", KINDS, ids=["interval", "cron", "rrule"])
def test_both_bounds_belong_to_the_schedule(kind: dict[str, object]) -> None:
    made = schedule(BERLIN, **kind, start="2026-06-10 08:00", end="2026-06-10 11:00")
    begin = at("2026-06-10 08:00", BERLIN)
    assert slots(made, at("2020-01-01"), at("2030-01-01")) == [begin + n * HOUR for n in range(4)]
    assert made.after(begin + 3 * HOUR) is None
    assert made.latest(at("2020-01-01"), at("2030-01-01")) == begin + 3 * HOUR
    assert made.latest(at("2020-01-01"), begin - MICROSECOND) is None
    assert made.latest(begin + 3 * HOUR, at("2030-01-01")) is None


@pytest.mark.parametrize("kind", KINDS, ids=["interval", "cron", "rrule"])
def test_a_date_alone_takes_in_its_whole_day(kind: dict[str, object]) -> None:
    made = schedule(BERLIN, **kind, start="2026-06-10", end="2026-06-10")
    begin = at("2026-06-10", BERLIN)
    assert slots(made, begin - DAY, begin + 2 * DAY) == [begin + n * HOUR for n in range(24)]


def test_the_last_day_takes_in_an_hour_that_is_skipped() -> None:
    made = schedule(BERLIN, cron="0 * * * *", start="2026-03-29", end="2026-03-29")
    assert len(slots(made, at("2026-03-28"), at("2026-03-31"))) == 23


def test_the_last_day_takes_in_an_hour_that_is_repeated() -> None:
    made = schedule(BERLIN, cron="0 * * * *", start="2026-10-25", end="2026-10-25")
    assert len(slots(made, at("2026-10-24"), at("2026-10-27"))) == 25


def test_the_last_day_takes_in_its_last_hour_when_that_is_repeated() -> None:
    made = schedule("Africa/Cairo", cron="0 * * * *", start="2026-10-29", end="2026-10-29")
    assert len(slots(made, at("2026-10-28"), at("2026-10-31"))) == 25


def test_a_first_day_without_midnight_begins_at_its_first_minute() -> None:
    made = schedule("Africa/Cairo", cron="* * * * *", start="2026-04-24")
    assert made.after(at("2026-04-01")) == at("2026-04-24 01:00", "Africa/Cairo")


@pytest.mark.parametrize(
    "value",
    ["2026-06-10 08:00", "2026-06-10T08:00", "2026-06-10T08:00:00", " 2026-06-10 08:00 ", datetime(2026, 6, 10, 8)],  # noqa: DTZ001
)
def test_a_bound_may_be_written_in_several_ways(value: object) -> None:
    assert schedule(BERLIN, cron="* * * * *", start=value).after(at("2026-01-01")) == at("2026-06-10 08:00", BERLIN)


def test_a_date_object_is_a_day_too() -> None:
    made = schedule(BERLIN, cron="0 12 * * *", start=date(2026, 6, 10), end=date(2026, 6, 10))
    assert slots(made, at("2026-01-01"), at("2027-01-01")) == [at("2026-06-10 12:00", BERLIN)]


@pytest.mark.parametrize("key", ["start", "end"])
@pytest.mark.parametrize(
    "value", ["", "tomorrow", "2026-02-30", "2026-13-01", "2026-06-10 25:00", "10.06.2026", "2026-6-1", 1.5, True, "1899-12-31"]
)  # fmt: skip
def test_a_bound_that_is_no_date_is_refused(key: str, value: object) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(cron="* * * * *", **{key: value})
    assert caught.value.field == key
    assert "is not a date" in caught.value.message
    assert "2026-03-29" in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["start", "end"])
@pytest.mark.parametrize("value", ["2026-06-10T08:00Z", "2026-06-10T08:00+02:00", datetime(2026, 6, 10, tzinfo=UTC)])
def test_a_bound_with_an_offset_is_refused(key: str, value: object) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(cron="* * * * *", **{key: value})
    assert caught.value.field == key
    assert "timezone" in (caught.value.hint or "")


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(cron="* * * * *", start="2026-06-11", end="2026-06-10")
    assert caught.value.field == "end"


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_an_end_on_the_calendars_last_day_is_no_end(zone: str) -> None:
    made = schedule(zone, cron="0 0 * * *", end="9999-12-31")
    assert made.after(at("2026-06-10 00:00", zone)) == at("2026-06-11 00:00", zone)


@pytest.mark.parametrize("key", ["start", "end"])
def test_a_bound_on_the_calendars_last_day_is_no_crash_west_of_greenwich(key: str) -> None:
    made = schedule("America/New_York", cron="0 0 * * *", **{key: "9999-12-31 22:00"})
    assert made.after(at("9999-12-31 12:00")) is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "frequency"),
        ({"unit": "days"}, "frequency"),
        ({"frequency": 1, "unit": "days", "cron": "* * * * *"}, "cron"),
        ({"cron": "* * * * *", "rrule": "FREQ=DAILY"}, "rrule"),
        ({"frequency": 0, "unit": "days"}, "frequency"),
        ({"frequency": -1, "unit": "days"}, "frequency"),
        ({"frequency": True, "unit": "days"}, "frequency"),
        ({"frequency": 1.0, "unit": "days"}, "frequency"),
        ({"frequency": "1", "unit": "days"}, "frequency"),
        ({"frequency": 1}, "unit"),
        ({"frequency": 1, "unit": "fortnights"}, "unit"),
        ({"frequency": 1, "unit": "Days"}, "unit"),
        ({"frequency": 1, "unit": "s"}, "unit"),
        ({"frequency": 1, "unit": ""}, "unit"),
        ({"frequency": 1, "unit": ["days"]}, "unit"),
        ({"frequency": 1, "unit": "days", "anchor": None}, "anchor"),
        ({"frequency": 1, "unit": "days", "anchor": "2026-01-01"}, "anchor"),
        ({"frequency": 1, "unit": "days", "anchor": datetime(2026, 1, 1)}, "anchor"),  # noqa: DTZ001
        ({"cron": "* * * * *", "timezone": "Mars/Olympus"}, "timezone"),
    ],
)
def test_keys_that_make_no_schedule_are_refused_by_name(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule({"anchor": at("2026-01-01"), **fields})
    assert caught.value.field == field


def test_without_a_timezone_it_is_utc() -> None:
    made = parse_schedule({"cron": "0 8 * * *"})
    assert made.after(at("2026-06-10")) == at("2026-06-10 08:00")
    assert made.zone is UTC


@pytest.mark.parametrize("kind", KINDS, ids=["interval", "cron", "rrule"])
def test_an_instant_may_be_asked_about_in_any_zone(kind: dict[str, object]) -> None:
    made = schedule("America/New_York", **kind, start="2026-06-01")
    asked = at("2026-06-10 08:00")
    here = asked.astimezone(schedule(BERLIN, cron="* * * * *").zone)
    assert made.after(here) == made.after(asked)
    answer = made.after(here)
    assert answer is not None
    assert answer.utcoffset() == timedelta(0)


def test_the_latest_of_an_empty_stretch_is_none() -> None:
    made = schedule(cron="0 8 * * *")
    asked = at("2026-06-10 08:00")
    assert made.latest(asked, asked) is None
    assert made.latest(asked, asked - MINUTE) is None
    assert made.latest(asked, asked + 23 * HOUR) is None
    assert made.latest(asked - MICROSECOND, asked) == asked


def test_slots_are_counted_up_to_a_limit() -> None:
    made = schedule(cron="* * * * *")
    begin = at("2026-06-10")
    assert made.count(begin, begin + 90 * MINUTE, 1000) == 90
    assert made.count(begin, begin + 90 * MINUTE, 7) == 7
    assert made.count(begin, begin, 7) == 0
