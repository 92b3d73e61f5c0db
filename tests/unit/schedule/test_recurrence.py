"""RFC 5545 rules: named nights, what is refused, and dateutil walking naively from DTSTART as the judge."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import ScheduleError
from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, NIGHTS, Night, at, calls_of, schedule, slots, walls

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def first_walls(count: int, rule: str, start: str, zone: str = "UTC") -> list[str]:
    """Return the wall times of a rule's first slots."""
    made = schedule(zone, rrule=rule, start=start)
    found: list[datetime] = []
    slot = made.after(at(start, zone) - 2 * DAY)
    while slot is not None and len(found) < count:
        found.append(slot)
        slot = made.after(slot)
    return walls(found, zone)


@pytest.mark.parametrize(
    ("rule", "zone", "start", "expected"),
    [
        ("FREQ=DAILY", "Europe/Berlin", "2026-03-28 02:30", ["03-28 02:30+0100", "03-29 03:30+0200", "03-30 02:30+0200"]),
        ("FREQ=DAILY", "Europe/Berlin", "2026-10-24 02:30", ["10-24 02:30+0200", "10-25 02:30+0200", "10-26 02:30+0100"]),
        ("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=30", "Europe/Berlin", "2026-03-29 00:00", ["03-29 03:30+0200", "03-30 02:30+0200"]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "Australia/Lord_Howe", "2026-10-04", ["10-04 02:30+1100", "10-05 02:30+1100"]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=15", "Australia/Lord_Howe", "2026-10-04", ["10-04 02:45+1100", "10-05 02:15+1100"]),
        ("FREQ=HOURLY;BYMINUTE=30", "Europe/Berlin", "2026-03-29 01:00",
         ["03-29 01:30+0100", "03-29 03:30+0200", "03-29 04:30+0200"]),
        ("FREQ=HOURLY", "Europe/Berlin", "2026-10-25 01:00", ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 03:00+0100"]),
        ("FREQ=MINUTELY;INTERVAL=30", "Europe/Berlin", "2026-03-29 01:30",
         ["03-29 01:30+0100", "03-29 03:00+0200", "03-29 03:30+0200", "03-29 04:00+0200"]),
        # A slot in the gap moves past one that was later on the wall.
        ("FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45", "Europe/Berlin", "2026-03-29 00:00",
         ["03-29 03:15+0200", "03-29 03:45+0200", "03-30 02:15+0200"]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=40;UNTIL=20260329T024000", "Europe/Berlin", "2026-03-29 00:00", ["03-29 03:40+0200"]),
        ("FREQ=DAILY;BYHOUR=0;BYMINUTE=30", "America/St_Johns", "2011-03-12", ["03-12 00:30-0330", "03-13 01:30-0230"]),
        ("FREQ=DAILY;BYHOUR=12", "Pacific/Apia", "2011-12-29", ["12-29 12:00-1000", "12-31 12:00+1400", "01-01 12:00+1400"]),
        ("FREQ=MONTHLY;BYMONTHDAY=30;BYHOUR=12", "Pacific/Apia", "2011-12-01", ["12-31 12:00+1400", "01-30 12:00+1400"]),
        ("FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=45", "America/Caracas", "2016-04-24",
         ["04-24 02:45-0430", "05-01 03:15-0400", "05-08 02:45-0400"]),
        ("FREQ=DAILY;BYHOUR=23;BYMINUTE=45", "Asia/Pyongyang", "2018-05-04", ["05-05 00:15+0900", "05-05 23:45+0900"]),
        ("FREQ=DAILY;BYHOUR=0", "Africa/Cairo", "2026-04-23", ["04-23 00:00+0200", "04-24 01:00+0300", "04-25 00:00+0300"]),
    ],
)  # fmt: skip
def test_a_rule_runs_on_a_night_on_which_the_clock_moves(rule: str, zone: str, start: str, expected: list[str]) -> None:
    assert first_walls(len(expected), rule, start, zone) == expected


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9", "2026-01-01", ["01-13 09:00", "02-10 09:00", "03-10 09:00"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-01 17:00", ["01-30 17:00", "02-27 17:00", "03-27 17:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-01", ["01-31 00:00", "02-28 00:00", "03-31 00:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-01", ["01-31 00:00", "03-31 00:00", "05-31 00:00"]),
        ("FREQ=MONTHLY", "2026-01-31", ["01-31 00:00", "03-31 00:00", "05-31 00:00"]),
        ("FREQ=YEARLY", "2024-02-29", ["02-29 00:00", "02-29 00:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-01", ["01-30 00:00", "02-27 00:00", "03-31 00:00"]),
        # RFC 5545: the week's start makes a difference with INTERVAL=2.
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO", "1997-08-05 09:00", ["08-05 09:00", "08-10 09:00", "08-19 09:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "1997-08-05 09:00", ["08-05 09:00", "08-17 09:00", "08-19 09:00"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-02 09:00", ["02-13 09:00", "03-13 09:00", "11-13 09:00"]),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05 09:00", ["11-05 09:00", "11-07 09:00"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12 09:00", ["05-12 09:00", "05-11 09:00", "05-17 09:00"]),
        ("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T170000", "1997-09-02 09:00", ["09-02 09:00", "09-02 12:00", "09-02 15:00"]),
        ("FREQ=MINUTELY;INTERVAL=90;COUNT=4", "1997-09-02 09:00", ["09-02 09:00", "09-02 10:30", "09-02 12:00", "09-02 13:30"]),
        ("FREQ=DAILY;COUNT=2", "2026-01-01", ["01-01 00:00", "01-02 00:00"]),
        # The first week's set has its Monday before DTSTART: position one is that Monday, which does not count.
        ("FREQ=WEEKLY;BYDAY=MO,TH;BYSETPOS=1", "2026-01-07", ["01-12 00:00", "01-19 00:00"]),
        ("RRULE:FREQ=DAILY;UNTIL=20260102", "2026-01-01 23:00", ["01-01 23:00", "01-02 23:00"]),
        ("freq=weekly;byday=+1mo", "2026-01-01", []),
    ],
)  # fmt: skip
def test_a_rule_means_what_rfc_5545_says(rule: str, start: str, expected: list[str]) -> None:
    if not expected:
        with pytest.raises(ScheduleError):
            schedule(rrule=rule, start=start)
        return
    found = first_walls(len(expected) if "COUNT" not in rule and "UNTIL" not in rule else 99, rule, start)
    assert [wall[:11] for wall in found] == expected


@pytest.mark.parametrize(
    ("rule", "anchor", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9", "2026-06-10 12:34", "2026-07-14 09:00"),
        ("FREQ=DAILY;BYHOUR=9", "2026-06-10 12:34", "2026-06-11 09:00"),
        ("FREQ=DAILY;BYHOUR=13", "2026-06-10 12:34", "2026-06-10 13:00"),
        ("FREQ=DAILY", "2026-06-10 12:34", "2026-06-11 12:34"),
        ("FREQ=DAILY;INTERVAL=2;BYHOUR=9", "2026-06-10 12:34", "2026-06-12 09:00"),
        ("FREQ=HOURLY", "2026-06-10 12:34", "2026-06-10 13:34"),
        ("FREQ=HOURLY;BYMINUTE=50", "2026-06-10 12:34", "2026-06-10 12:50"),
        ("FREQ=HOURLY;BYHOUR=15,16", "2026-06-10 12:34", "2026-06-10 15:00"),
        ("FREQ=MINUTELY;INTERVAL=20", "2026-06-10 12:34", "2026-06-10 12:54"),
        ("FREQ=WEEKLY;BYDAY=WE", "2026-06-10 12:34", "2026-06-17 12:34"),
    ],
)
def test_without_start_the_rule_counts_from_the_anchor(rule: str, anchor: str, expected: str) -> None:
    assert schedule(rrule=rule, anchor=at(anchor)).after(at(anchor)) == at(expected)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "is not NAME=VALUE"),
        ("FREQ", "is not NAME=VALUE"),
        ("FREQ=", "is not NAME=VALUE"),
        ("FREQ=DAILY;", "is not NAME=VALUE"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=FORTNIGHTLY", "unknown FREQ=FORTNIGHTLY"),
        ("FREQ=SECONDLY", "finer than cron's minute"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;BYHOUR=1;BYHOUR=2", "BYHOUR is given twice"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0 is out of range"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1 is out of range"),
        ("FREQ=DAILY;INTERVAL=99999999999", "is out of range"),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL=1.5 is out of range"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0 is out of range"),
        ("FREQ=DAILY;COUNT=1;UNTIL=20260101", "COUNT cannot be combined with UNTIL"),
        ("FREQ=DAILY;UNTIL=20260230", "UNTIL=20260230 is not a date"),
        ("FREQ=DAILY;UNTIL=tomorrow", "is not a date"),
        ("FREQ=DAILY;UNTIL=2026-01-01", "is not a date"),
        ("FREQ=DAILY;WKST=XX", "WKST=XX is not a weekday"),
        ("FREQ=DAILY;BYEASTER=0", "unknown part BYEASTER"),
        ("FREQ=DAILY;X-NAME=1", "unknown part X-NAME"),
        ("FREQ=DAILY;DTSTART=20260101T000000", "unknown part DTSTART"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", ""),
        ("FREQ=DAILY;TZID=Europe/Berlin", "unknown part TZID"),
        ("FREQ=WEEKLY;BYDAY=2MO", "numbered BYDAY"),
        ("FREQ=DAILY;BYDAY=1MO", "numbered BYDAY"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", "numbered BYDAY"),
        ("FREQ=MONTHLY;BYDAY=0MO", "out of range"),
        ("FREQ=MONTHLY;BYDAY=54MO", "out of range"),
        ("FREQ=WEEKLY;BYDAY=MONDAY", "is not a weekday"),
        ("FREQ=WEEKLY;BYDAY=MO,", "is not a weekday"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY cannot be combined with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY cannot be combined with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO cannot be combined with FREQ=MONTHLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24 is out of range"),
        ("FREQ=DAILY;BYMINUTE=60", "BYMINUTE=60 is out of range"),
        ("FREQ=DAILY;BYMONTH=0", "BYMONTH=0 is out of range"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0 is out of range"),
        ("FREQ=MONTHLY;BYMONTHDAY=-32", "BYMONTHDAY=-32 is out of range"),
        ("FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=0", "BYSETPOS=0 is out of range"),
        ("FREQ=YEARLY;BYMONTH=1,2,,3", "is out of range"),
        ("FREQ=HOURLY;INTERVAL=24;BYHOUR=5", "has no date"),
        ("FREQ=MINUTELY;INTERVAL=60;BYMINUTE=7", "has no date"),
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_with_its_reason(rule: str, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(rrule=rule, start="2026-01-01 09:00")
    assert caught.value.field == "rrule"
    assert message in caught.value.message


def test_start_and_timezone_have_keys_of_their_own() -> None:
    with pytest.raises(ScheduleError) as caught:
        schedule(rrule="FREQ=DAILY;DTSTART=20260101T000000")
    assert "start" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3",
        "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=YEARLY;BYWEEKNO=20;BYMONTH=12",
        "FREQ=HOURLY;INTERVAL=168;BYDAY=MO",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=5",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=DAILY;UNTIL=20250101",
    ],
)
def test_a_rule_that_never_comes_is_found_out(rule: str) -> None:
    answer, _ = calls_of(lambda: schedule(rrule=rule, start="2026-01-01 09:00").after(at("2026-01-01")), 1_000_000)
    assert answer is None


@pytest.mark.parametrize("rule", ["FREQ=HOURLY;BYMINUTE=0,20,40;BYSETPOS=-1", "FREQ=MINUTELY;BYSECOND=0,30;BYSETPOS=1"])
def test_a_position_in_the_set_may_stand_beside_any_frequency(rule: str) -> None:
    assert schedule(rrule=rule, start="2026-01-01").after(at("2026-01-01")) is not None


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260328T013000Z", "2026-03-28 02:30+01:00"),
        ("20260328T012959Z", "2026-03-27 02:30+01:00"),
        ("20260329T013000Z", "2026-03-29 03:30+02:00"),
        pytest.param("20260329T011500Z", "2026-03-28 02:30+01:00"),
        ("20261025T003000Z", "2026-10-25 02:30+02:00"),
        ("20261025T013000Z", "2026-10-25 02:30+02:00"),
        pytest.param("20261025T010000Z", "2026-10-25 02:30+02:00"),
    ],
)  # fmt: skip
def test_until_in_utc_is_an_instant(until: str, last: str) -> None:
    made = schedule("Europe/Berlin", rrule=f"FREQ=DAILY;UNTIL={until}", start="2026-03-01 02:30")
    assert made.latest(at("2026-02-01"), at("2026-12-01")) == datetime.fromisoformat(last)


def _subset(values: range, most: int = 3) -> st.SearchStrategy[list[int]]:
    return st.lists(st.sampled_from(list(values)), min_size=1, max_size=most, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, list[int] | list[str] | int | str]:
    """Draw parts that RFC 5545 lets stand together."""
    freq = draw(st.sampled_from(["YEARLY", "MONTHLY", "MONTHLY", "WEEKLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]))
    parts: dict[str, list[int] | list[str] | int | str] = {"FREQ": freq, "WKST": draw(st.sampled_from(WEEKDAYS))}
    longest = {"YEARLY": 2, "MONTHLY": 5, "WEEKLY": 5, "DAILY": 9, "HOURLY": 50, "MINUTELY": 2000}[freq]
    parts["INTERVAL"] = draw(st.one_of(st.just(1), st.integers(1, longest)))
    numbered = freq in {"YEARLY", "MONTHLY"}
    if draw(st.booleans()):
        days = st.sampled_from(WEEKDAYS)
        nth = st.tuples(st.sampled_from([-2, -1, 1, 2, 3, 4]), days).map(lambda pair: f"{pair[0]}{pair[1]}")
        parts["BYDAY"] = draw(st.lists(st.one_of(days, nth) if numbered else days, min_size=1, max_size=3, unique=True))
    if freq != "WEEKLY" and draw(st.integers(0, 3)) == 0:
        parts["BYMONTHDAY"] = draw(_subset(range(1, 29)))
    if freq == "YEARLY" or draw(st.integers(0, 5)) == 0:
        parts["BYMONTH"] = draw(_subset(range(1, 13), most=5))
    if draw(st.booleans()):
        parts["BYHOUR"] = draw(_subset(range(5)))
    if draw(st.booleans()):
        parts["BYMINUTE"] = draw(_subset(range(0, 60, 15)))
    if freq not in {"HOURLY", "MINUTELY"} and parts.keys() - {"FREQ", "WKST", "INTERVAL"} and draw(st.booleans()):
        parts["BYSETPOS"] = draw(st.lists(st.sampled_from([-2, -1, 1, 2, 3]), min_size=1, max_size=2, unique=True))
    return parts


def _text(parts: dict[str, list[int] | list[str] | int | str]) -> str:
    return ";".join(
        f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in parts.items()
    )


def _judge(text: str, start: datetime, limit: datetime) -> list[datetime] | None:
    """Return dateutil's naive wall times until the limit, or None where it finds that the rule cannot be met."""
    try:
        # It says so at once, or only when the walk begins.
        rule = rrule.rrulestr(f"{text};UNTIL={limit:%Y%m%dT%H%M%S}", dtstart=start)
        return list(takewhile(lambda wall: wall <= limit, rule))
    except ValueError:
        return None


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    night=st.sampled_from(NIGHTS),
    parts=rules(),
    days=st.integers(0, 40),
    minute=st.integers(0, 95),
    ending=st.sampled_from(["", "", "COUNT", "UNTIL"]),
    size=st.integers(1, 10),
    asked=st.lists(st.integers(-3 * 1440, 3 * 1440), max_size=6),
)
def test_a_rule_does_what_dateutil_does_from_dtstart(  # every argument is drawn
    night: Night, parts: dict[str, list[int] | list[str] | int | str], days: int, minute: int, ending: str, size: int,
    asked: list[int],
) -> None:  # fmt: skip
    zone = ZoneInfo(night.zone)
    wall = night.change.astimezone(zone).replace(tzinfo=None, fold=0)
    often = parts["FREQ"] in {"HOURLY", "MINUTELY"}
    start = datetime(wall.year, wall.month, wall.day) - timedelta(days=days % 4 if often else days)  # noqa: DTZ001
    start += timedelta(minutes=15 * minute)
    if parts["FREQ"] == "WEEKLY" and "BYSETPOS" in parts:
        # dateutil leaves the days before DTSTART out of the first week's set; RFC 5545 does not. (Tested above.)
        start -= timedelta(days=(start.weekday() - WEEKDAYS.index(str(parts["WKST"]))) % 7)
    limit = wall + (2 * DAY if often else 400 * DAY)
    naive = _judge(_text(parts), start, limit)
    text = _text(parts)
    if naive is None:
        with pytest.raises(ScheduleError, match="has no date"):
            schedule(night.zone, rrule=text, start=start)
        return
    if ending == "COUNT":
        naive, text = naive[:size], f"{text};COUNT={size}"
    if ending == "UNTIL":
        until = start + size * 29 * HOUR
        naive, text = [point for point in naive if point <= until], f"{text};UNTIL={until:%Y%m%dT%H%M%S}"
    begin = start.replace(tzinfo=zone).astimezone(UTC)
    # From a start in a gap on: what the clock on the wall showed before is before the start.
    instants = {point.replace(tzinfo=zone).astimezone(UTC) for point in naive}
    expected = sorted(instant for instant in instants if instant >= begin)
    horizon = limit.replace(tzinfo=zone).astimezone(UTC) - 25 * HOUR
    made = schedule(night.zone, rrule=text, start=start)
    shown = [point for point in expected if point <= horizon][:30]
    assert slots(made, begin - MICROSECOND, shown[-1] if shown else begin) == shown, text
    for minutes in asked:
        instant = max(begin - MICROSECOND, night.change + minutes * MINUTE)
        index = bisect_right(expected, instant)
        if index < len(expected) and expected[index] <= horizon:
            assert made.after(instant) == expected[index], text
