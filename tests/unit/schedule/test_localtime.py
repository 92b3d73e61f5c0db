from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ScheduleError
from runner.schedule.localtime import earliest_wall, load_zone, next_change, offset_at, resolve, wall_time
from tests.support.nights import DAY, HOUR, MICROSECOND, MINUTE, NIGHTS, Night, at, calls_of

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Olympus", "europe/berlin", "Europe", "Europe/", "/etc/passwd", "/usr/share/zoneinfo/Europe/Berlin",
        "../../etc/passwd", "Europe/../../x", "./UTC", ".", "zone.tab", "tzdata.zi", "Europe/Ber\0lin", "\udc80", "x" * 5000,
        "Europe\\Berlin", " Europe/Berlin", "CEST", "+02:00", "a.b/c", "Europe/Berlin\n",
    ],
)  # fmt: skip
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        load_zone(name)
    assert caught.value.field == "timezone"
    assert "unknown time zone" in caught.value.message
    assert "Europe/Berlin" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "EST5EDT"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    assert load_zone(name).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001 - a wall time is naive


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 00:59:59"),
        ("Europe/Berlin", "2026-03-29 02:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:45"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),
        ("America/St_Johns", "2011-03-13 00:30", "2011-03-13 04:00"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30 22:00"),
        ("Pacific/Apia", "2011-12-31 12:00", "2011-12-30 22:00"),
    ],
)
def test_a_wall_time_is_one_instant_on_every_night(zone: str, wall: str, instant: str) -> None:
    assert resolve(datetime.fromisoformat(wall), load_zone(zone)) == at(instant)


@pytest.mark.parametrize("night", NIGHTS, ids=str)
def test_the_change_is_found_to_the_second(night: Night) -> None:
    for before in (SECOND, MINUTE, 90 * MINUTE, DAY, 20 * DAY + HOUR):
        for beyond in (0 * SECOND, SECOND, 7 * MINUTE, DAY):
            assert next_change(night.change - before, night.change + beyond, night.tz) == night.change
    assert next_change(night.change - DAY, night.change - MICROSECOND, night.tz) is None
    assert next_change(night.change, night.change + DAY, night.tz) is None


@pytest.mark.parametrize("night", NIGHTS[:2], ids=str)
@pytest.mark.parametrize("microseconds", [1, 20_000, 999_999])
def test_the_change_is_found_from_instants_that_are_no_whole_seconds(night: Night, microseconds: int) -> None:
    fraction = timedelta(microseconds=microseconds)
    found, _ = calls_of(
        lambda: next_change(night.change - HOUR + fraction, night.change + fraction, night.tz), budget=5_000
    )
    assert found == night.change


def test_a_zone_that_never_changes_has_no_change() -> None:
    assert next_change(at("2026-01-01"), at("2027-01-01"), UTC) is None
    assert next_change(at("2026-01-01"), at("2027-01-01"), timezone(timedelta(hours=5))) is None
    assert next_change(at("2026-01-01"), at("2025-01-01"), load_zone("Europe/Berlin")) is None


@given(night=st.sampled_from(NIGHTS), minutes=st.integers(-3000, 3000))
def test_a_wall_time_leads_back_to_its_instant_or_to_the_first_of_its_two(night: Night, minutes: int) -> None:
    instant = night.change + minutes * MINUTE
    wall = wall_time(instant, night.tz)
    assert wall.tzinfo is None
    assert wall.fold == 0
    assert instant + offset_at(instant, night.tz) == wall.replace(tzinfo=UTC)
    back = resolve(wall, night.tz)
    again = -night.moved * MINUTE
    assert back == (instant - again if night.change <= instant < night.change + again else instant)


@given(night=st.sampled_from(NIGHTS), asked=st.integers(-3000, 3000), minutes=st.integers(-6000, 6000))
def test_no_wall_time_before_the_earliest_resolves_later(night: Night, asked: int, minutes: int) -> None:
    instant = night.change + asked * MINUTE
    wall = wall_time(night.change, ZoneInfo(night.zone)) + minutes * MINUTE
    if resolve(wall, night.tz) > instant:
        assert wall >= earliest_wall(instant, night.tz)
