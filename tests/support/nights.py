"""Nights on which the clock of a time zone changed, and functions that tests about schedules share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import TypeVar
from zoneinfo import ZoneInfo

from runner.schedule import Schedule, parse_schedule

T = TypeVar("T")
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Night:
    """A zone and the first instant (UTC) of its new offset; `moved` is the change of the clock in minutes."""

    zone: str
    change: datetime
    moved: int

    def __str__(self) -> str:
        return f"{self.zone}-{self.change:%Y-%m-%d}"

    @property
    def tz(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.zone)


def _night(zone: str, change: str, moved: int) -> Night:
    return Night(zone, datetime.fromisoformat(change).replace(tzinfo=UTC), moved)


NIGHTS = (
    _night("Europe/Berlin", "2026-03-29 01:00", 60),
    _night("Europe/Berlin", "2026-10-25 01:00", -60),
    _night("America/New_York", "2026-03-08 07:00", 60),
    _night("America/New_York", "2026-11-01 06:00", -60),
    _night("Australia/Lord_Howe", "2026-10-03 15:30", 30),
    _night("Australia/Lord_Howe", "2026-04-04 15:00", -30),
    _night("America/St_Johns", "2011-03-13 03:31", 60),
    _night("America/St_Johns", "2010-11-07 02:31", -60),
    _night("America/Caracas", "2007-12-09 07:00", -30),
    _night("America/Caracas", "2016-05-01 07:00", 30),
    _night("Asia/Pyongyang", "2015-08-14 15:00", -30),
    _night("Asia/Pyongyang", "2018-05-04 15:00", 30),
    _night("Pacific/Apia", "2011-12-30 10:00", 1440),
    _night("Pacific/Kwajalein", "1993-08-21 12:00", 1440),
    _night("Africa/Cairo", "2026-04-23 22:00", 60),
    _night("Africa/Cairo", "2026-10-29 21:00", -60),
    _night("Africa/Casablanca", "2024-03-10 02:00", -60),
    _night("Africa/Casablanca", "2024-04-14 02:00", 60),
    _night("America/Havana", "2026-03-08 05:00", 60),
    _night("America/Havana", "2026-11-01 05:00", -60),
    _night("Asia/Kathmandu", "1985-12-31 18:30", 15),
    _night("Antarctica/Troll", "2026-03-29 01:00", 120),
    _night("Antarctica/Troll", "2026-10-25 01:00", -120),
    _night("Antarctica/Casey", "2009-10-17 18:00", 180),
)


def schedule(zone: str = "UTC", /, **fields: object) -> Schedule:
    """Return the schedule of the given keys in a zone."""
    return parse_schedule({"timezone": zone, **fields})


def at(text: str, zone: str = "UTC", fold: int = 0) -> datetime:
    """Return the instant of a wall time, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def slots(made: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Return the slots in (after, until], computed one after another."""
    found: list[datetime] = []
    slot = made.after(after)
    while slot is not None and slot <= until:
        found.append(slot)
        slot = made.after(slot)
    return found


def walls(instants: list[datetime], zone: str) -> list[str]:
    """Return the wall time of each instant in a zone, with its offset, as text."""
    return [instant.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for instant in instants]


class TooMuchWorkError(AssertionError):
    """Raised for more calls than the budget, which means that the work grows with the wrong input."""


def calls_of(work: Callable[[], T], budget: int = 200_000) -> tuple[T, int]:
    """Return the result of `work` and the number of Python calls in it. Raises TooMuchWorkError above the budget."""
    made = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal made
        if event == "call":
            made += 1
            if made > budget:
                raise TooMuchWorkError(f"more than {budget} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result = work()
    finally:
        sys.setprofile(before)
    return result, made
