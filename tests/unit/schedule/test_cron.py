"""Cron on every kind of night: a table that people can check, and a simulation of Debian's daemon for the rest."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import debian_cron
from tests.support.nights import DAY, HOUR, MINUTE, NIGHTS, Night, at, calls_of, schedule, slots, walls

# The daemon starts a day and a half before the change, and is watched until a day and a half after it.
WINDOW = 36 * HOUR


def cron_walls(expression: str, zone: str, begin: str, end: str) -> list[str]:
    """Return the wall times of an expression in [begin, end), both wall times."""
    made = schedule(zone, cron=expression)
    tick = timedelta(microseconds=1)
    return walls(slots(made, at(begin, zone) - tick, at(end, zone) - tick), zone)


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "end", "expected"),
    [
        # Berlin, spring: 02:00 becomes 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30", ["03-29 03:00+0200"]),
        ("0,30 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30", ["03-29 03:00+0200"]),
        ("0 3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30", ["03-29 03:00+0200"]),
        ("30 1-3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30",
         ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30", []),
        ("*/30 1-3 * * *", "Europe/Berlin", "2026-03-29", "2026-03-30",
         ["03-29 01:00+0100", "03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200"]),
        ("15 * * * *", "Europe/Berlin", "2026-03-29 01:00", "2026-03-29 04:00", ["03-29 01:15+0100", "03-29 03:15+0200"]),
        ("0 */2 * * *", "Europe/Berlin", "2026-03-29", "2026-03-29 05:00", ["03-29 00:00+0100", "03-29 04:00+0200"]),
        ("@hourly", "Europe/Berlin", "2026-03-29 01:00", "2026-03-29 04:00", ["03-29 01:00+0100", "03-29 03:00+0200"]),
        # Berlin, autumn: 03:00 becomes 02:00.
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26", ["10-25 02:30+0200"]),
        ("0 3 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26", ["10-25 03:00+0100"]),
        ("30 1-3 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26",
         ["10-25 01:30+0200", "10-25 02:30+0200", "10-25 03:30+0100"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-10-25", "2026-10-26",
         ["10-25 02:00+0200", "10-25 02:30+0200", "10-25 02:00+0100", "10-25 02:30+0100"]),
        ("15 * * * *", "Europe/Berlin", "2026-10-25 01:00", "2026-10-25 04:00",
         ["10-25 01:15+0200", "10-25 02:15+0200", "10-25 02:15+0100", "10-25 03:15+0100"]),
        ("0 0 * * sun", "Europe/Berlin", "2026-10-24", "2026-11-02", ["10-25 00:00+0200", "11-01 00:00+0100"]),
        # A list of every hour has no star: it is a fixed job.
        ("0 0-23 * * *", "Europe/Berlin", "2026-10-25 01:00", "2026-10-25 04:00",
         ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 03:00+0100"]),
        # New York
        ("30 2 * * *", "America/New_York", "2026-03-08", "2026-03-09", ["03-08 03:00-0400"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", "2026-11-02", ["11-01 01:30-0400"]),
        # Lord Howe moves by half an hour: 02:00 becomes 02:30, and 02:00 becomes 01:30.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05", ["10-04 02:30+1100"]),
        ("30 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05", ["10-04 02:30+1100"]),
        ("*/15 2 * * *", "Australia/Lord_Howe", "2026-10-04", "2026-10-05", ["10-04 02:30+1100", "10-04 02:45+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-06", ["04-05 01:45+1100"]),
        ("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05", "2026-04-06",
         ["04-05 01:00+1100", "04-05 01:15+1100", "04-05 01:30+1100", "04-05 01:45+1100",
          "04-05 01:30+1030", "04-05 01:45+1030"]),
        # St John's changed at one minute past midnight.
        ("0 0 * * *", "America/St_Johns", "2011-03-12 12:00", "2011-03-14", ["03-13 00:00-0330"]),
        ("30 0 * * *", "America/St_Johns", "2011-03-12 12:00", "2011-03-14", ["03-13 01:01-0230"]),
        ("1 0 * * *", "America/St_Johns", "2011-03-12 12:00", "2011-03-14", ["03-13 01:01-0230"]),
        ("0 0 * * *", "America/St_Johns", "2010-11-06 12:00", "2010-11-07 12:00", ["11-07 00:00-0230"]),
        ("30 23 * * *", "America/St_Johns", "2010-11-06 12:00", "2010-11-07 12:00", ["11-06 23:30-0230"]),
        ("0 * * * *", "America/St_Johns", "2010-11-06 23:00", "2010-11-07 02:00",
         ["11-06 23:00-0230", "11-07 00:00-0230", "11-07 00:00-0330", "11-07 01:00-0330"]),
        # Caracas: 03:00 became 02:30, and nine years later 02:30 became 03:00; Pyongyang: midnight became 23:30, 23:30
        # midnight.
        ("45 2 * * *", "America/Caracas", "2007-12-09", "2007-12-10", ["12-09 02:45-0400"]),
        ("45 2 * * *", "America/Caracas", "2016-05-01", "2016-05-02", ["05-01 03:00-0400"]),
        ("*/15 2 * * *", "America/Caracas", "2016-05-01", "2016-05-02", ["05-01 02:00-0430", "05-01 02:15-0430"]),
        ("45 23 * * *", "Asia/Pyongyang", "2015-08-14 12:00", "2015-08-15 12:00", ["08-14 23:45+0900"]),
        ("45 23 * * *", "Asia/Pyongyang", "2018-05-04 12:00", "2018-05-05 12:00", ["05-05 00:00+0900"]),
        ("45 23 4 5 *", "Asia/Pyongyang", "2018-05-04 12:00", "2018-05-05 12:00", ["05-05 00:00+0900"]),
        # Apia had no 30 December 2011. A day is a correction of the clock: nothing is made up for.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01", ["12-29 12:00-1000", "12-31 12:00+1400"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-01", "2012-02-01", []),
        ("0 0 31 12 *", "Pacific/Apia", "2011-12-29", "2012-02-01", ["12-31 00:00+1400"]),
        ("0 */12 * * *", "Pacific/Apia", "2011-12-29", "2012-01-01",
         ["12-29 00:00-1000", "12-29 12:00-1000", "12-31 00:00+1400", "12-31 12:00+1400"]),
        # Cairo has no midnight in spring and two in autumn… or rather two hours before it.
        ("0 0 * * *", "Africa/Cairo", "2026-04-23 12:00", "2026-04-24 12:00", ["04-24 01:00+0300"]),
        ("0 0 * * *", "Africa/Cairo", "2026-10-29 12:00", "2026-10-30 12:00", ["10-30 00:00+0200"]),
        ("30 23 * * *", "Africa/Cairo", "2026-10-29 12:00", "2026-10-30 12:00", ["10-29 23:30+0300"]),
        ("30 2 * * *", "Africa/Casablanca", "2024-03-10", "2024-03-11", ["03-10 02:30+0100"]),
        ("30 2 * * *", "Africa/Casablanca", "2024-04-14", "2024-04-15", ["04-14 03:00+0100"]),
        # Three hours are a correction (Casey), two are not (Troll).
        ("30 3 * * *", "Antarctica/Casey", "2009-10-18", "2009-10-19", []),
        ("30 2 * * *", "Antarctica/Troll", "2026-03-29", "2026-03-30", ["03-29 03:00+0200"]),
        ("30 2 * * *", "Antarctica/Troll", "2026-10-25", "2026-10-26", ["10-25 02:30+0200"]),
    ],
)  # fmt: skip
def test_a_night_on_which_the_clock_moves_has_these_slots(
    expression: str, zone: str, begin: str, end: str, expected: list[str]
) -> None:
    assert cron_walls(expression, zone, begin, end) == expected


@pytest.mark.parametrize(
    ("expression", "begin", "end", "expected"),
    [
        ("0 0 13 * fri", "2026-02-12", "2026-02-28", ["02-13", "02-20", "02-27"]),
        ("0 0 13 * *", "2026-02-01", "2026-04-01", ["02-13", "03-13"]),
        ("0 0 * * fri", "2026-02-01", "2026-02-15", ["02-06", "02-13"]),
        ("0 0 */2 * fri", "2026-02-01", "2026-02-28", ["02-13", "02-27"]),
        ("0 0 13 * */5", "2026-02-01", "2026-04-01", ["02-13", "03-13"]),
        ("0 0 1-7 * 1", "2026-02-01", "2026-02-10", [f"02-0{day}" for day in (1, 2, 3, 4, 5, 6, 7, 9)]),
        ("0 0 * * 7", "2026-02-01", "2026-02-09", ["02-01", "02-08"]),
        ("0 0 * * 0", "2026-02-01", "2026-02-09", ["02-01", "02-08"]),
        ("0 0 * * 5-7", "2026-02-01", "2026-02-09", ["02-01", "02-06", "02-07", "02-08"]),
        ("0 0 * * 0-7/7", "2026-02-01", "2026-02-09", ["02-01", "02-08"]),
        ("0 0 29 2 *", "2026-01-01", "2033-01-01", ["02-29", "02-29"]),
        ("0 0 31 * *", "2026-01-01", "2026-06-01", ["01-31", "03-31", "05-31"]),
        ("0 0 31 2 mon", "2026-01-01", "2027-01-01", ["02-02", "02-09", "02-16", "02-23"]),
        ("0 0 1 jan,APR *", "2026-01-01", "2026-12-31", ["01-01", "04-01"]),
        ("@weekly", "2026-02-01", "2026-02-09", ["02-01", "02-08"]),
        ("@monthly", "2026-02-01", "2026-04-01", ["02-01", "03-01"]),
        ("@yearly", "2026-01-01", "2028-01-01", ["01-01", "01-01"]),
        ("@annually", "2026-01-01", "2028-01-01", ["01-01", "01-01"]),
        ("@daily", "2026-02-01", "2026-02-03", ["02-01", "02-02"]),
        ("@midnight", "2026-02-01", "2026-02-03", ["02-01", "02-02"]),
    ],
)
def test_day_fields_mean_what_they_mean_in_crontab(expression: str, begin: str, end: str, expected: list[str]) -> None:
    assert [wall[:5] for wall in cron_walls(expression, "UTC", begin, end)] == expected


def test_a_step_over_a_range_of_one_names_that_one_only() -> None:
    assert [wall[6:11] for wall in cron_walls("5-5/10 0 * * *", "UTC", "2026-01-01", "2026-01-02")] == ["00:05"]


def test_leading_zeros_and_spaces_change_nothing() -> None:
    assert schedule(cron=" 05\t08  *  *  01 ").after(at("2026-02-01")) == at("2026-02-02 08:05")


def test_the_skipped_job_has_run_once_its_minute_is_over() -> None:
    change = at("2026-03-29 03:00", "Europe/Berlin")
    made = schedule("Europe/Berlin", cron="30 2 * * *")
    assert made.after(change - timedelta(microseconds=1)) == change
    assert made.after(change) == at("2026-03-30 02:30", "Europe/Berlin")


@pytest.mark.parametrize("night", NIGHTS[:2] + NIGHTS[4:6] + NIGHTS[12:13], ids=str)
@pytest.mark.parametrize(
    ("expression", "before"),
    [
        pytest.param("30 2 * * *", 0 * DAY, id="fixed-at-the-change"),
        pytest.param("30 2 * * 3", DAY, id="fixed-a-day-before"),
        pytest.param("* * * * 3", DAY, id="wildcard-a-day-before"),
    ],
)
def test_a_question_some_milliseconds_after_the_change_is_answered(
    night: Night, expression: str, before: timedelta
) -> None:
    asked = night.change - before + timedelta(milliseconds=20)
    made = schedule(night.zone, cron=expression)
    answer, _ = calls_of(lambda: made.after(asked), 5_000)
    assert answer == made.after(asked.replace(microsecond=0))


def _numbers(low: int, high: int) -> st.SearchStrategy[str]:
    single = st.integers(low, high).map(str)
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda ends: sorted(set(ends)))
    spread = pair.map(lambda ends: "-".join(map(str, ends)))
    # A step over a range of one has a test of its own above.
    stepped = st.tuples(pair.filter(lambda ends: len(ends) > 1), st.integers(1, 7)).map(
        lambda given_: f"{given_[0][0]}-{given_[0][1]}/{given_[1]}"
    )
    return st.lists(st.one_of(single, spread, stepped), min_size=1, max_size=3).map(",".join)


def _field(low: int, high: int, *, stars: int) -> st.SearchStrategy[str]:
    star = st.one_of(st.just("*"), st.integers(1, 6).map(lambda step: f"*/{step}"), st.just(f"*,{low}"))
    return st.one_of(*[_numbers(low, high)] * 2, *[star] * stars)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Draw what lives at night, where clocks move; days up to 28, so that each comes in each month."""
    minute = draw(_field(0, 59, stars=1))
    hour = draw(st.one_of(_field(0, 4, stars=1), _numbers(20, 23), _field(0, 23, stars=1)))
    day = draw(st.one_of(st.just("*"), st.just("*"), _field(1, 28, stars=1)))
    month = draw(st.one_of(st.just("*"), st.just("*"), _field(1, 12, stars=0)))
    weekday = draw(st.one_of(st.just("*"), st.just("*"), _field(0, 7, stars=1), st.sampled_from(["sun", "fri-sat"])))
    return f"{minute} {hour} {day} {month} {weekday}"


@pytest.mark.parametrize("night", NIGHTS, ids=str)
@settings(max_examples=10)
@given(expression=expressions(), asked=st.lists(st.integers(-36 * 60, 36 * 60), max_size=4))
def test_a_cron_schedule_does_what_debians_daemon_does(night: Night, expression: str, asked: list[int]) -> None:
    begin, end = night.change.replace(second=0) - WINDOW, night.change.replace(second=0) + WINDOW
    expected = debian_cron.slots(expression, night.zone, begin, end)
    made = schedule(night.zone, cron=expression)
    evening = night.change.replace(second=0) - 6 * HOUR
    assert slots(made, evening, end - 12 * HOUR) == [slot for slot in expected if evening < slot <= end - 12 * HOUR]
    # Asked at any moment, from whichever side of the change, the answer is the same.
    for minutes in asked:
        _assert_next(expected, made.after(night.change + minutes * MINUTE), night.change + minutes * MINUTE, end)


@pytest.mark.parametrize("night", NIGHTS, ids=str)
def test_asked_in_any_minute_around_the_change_the_next_slot_is_debians(night: Night) -> None:
    begin, end = night.change - WINDOW, night.change + WINDOW
    for expression in ("17,45 0-3,23 * * *", "*/20 * * * *", "5 * * * *", "1 0 * * *"):
        expected = debian_cron.slots(expression, night.zone, begin, end)
        made = schedule(night.zone, cron=expression)
        for minutes in range(-240, 240, 7):
            asked = night.change + minutes * MINUTE
            _assert_next(expected, made.after(asked), asked, end)


def _assert_next(expected: list[datetime], answer: datetime | None, asked: datetime, end: datetime) -> None:
    index = bisect_right(expected, asked)
    if index < len(expected):
        assert answer == expected[index]
    else:
        assert answer is None or answer > end


def test_a_job_of_every_minute_is_one_of_elapsed_minutes_on_every_night() -> None:
    for night in NIGHTS:
        made = schedule(night.zone, cron="* * * * *")
        begin = night.change - 3 * HOUR
        assert slots(made, begin, begin + 6 * HOUR) == [begin + n * MINUTE for n in range(1, 361)], night


def test_a_leap_day_on_a_sunday_is_found_a_generation_later() -> None:
    assert schedule(cron="0 0 29 2 */7").after(at("2032-03-01")) == at("2060-02-29")


def test_past_the_last_year_of_the_calendar_there_is_no_slot() -> None:
    assert schedule(cron="0 0 1 1 *").after(at("9999-06-01")) is None
