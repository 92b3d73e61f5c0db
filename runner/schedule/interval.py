"""`frequency` + `unit`: a grid of slots. Each is computed from the anchor, so that the slots never drift."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from runner.schedule.localtime import resolve, wall_time
from runner.value import Value

_DAYS = {"days": 1, "weeks": 7}
_FEBRUARY = 2
_LAST_YEAR = 9999  # of datetime
_SHORT_MONTHS = {4, 6, 9, 11}


class ElapsedInterval(Value):
    """A grid of minutes or hours: multiples of elapsed time, whatever the wall clock does."""

    anchor: datetime
    step: timedelta

    def after(self, instant: datetime) -> datetime:
        """Return the first point of the grid strictly later than the instant."""
        if instant < self.anchor:
            return self.anchor
        return self.anchor + ((instant - self.anchor) // self.step + 1) * self.step


class CalendarInterval(Value):
    """A grid of days, weeks or months: the wall time of the anchor, on later days.

    `first` is the instant of the anchor, which may be the second occurrence of a repeated wall time.
    """

    anchor: datetime
    first: datetime
    frequency: int
    unit: str
    zone: tzinfo

    def after(self, instant: datetime) -> datetime:
        """Return the first point of the grid strictly later than the instant."""
        if instant < self.first:
            return self.first
        index = max(0, self._index_near(wall_time(instant, self.zone)) - 1)
        while (slot := self.point(index)) <= instant:
            index += 1
        return slot

    def point(self, index: int) -> datetime:
        """Return the point of the grid with a number; the anchor has number 0."""
        if index == 0:
            return self.first
        return resolve(self._wall(index * self.frequency), self.zone)

    def _wall(self, units: int) -> datetime:
        if self.unit != "months":
            return self.anchor + timedelta(days=_DAYS[self.unit] * units)
        return add_months(self.anchor, units)

    def _index_near(self, wall: datetime) -> int:
        if self.unit != "months":
            return (wall - self.anchor) // timedelta(days=_DAYS[self.unit] * self.frequency)
        months = (wall.year - self.anchor.year) * 12 + wall.month - self.anchor.month
        return months // self.frequency


def add_months(wall: datetime, months: int) -> datetime:
    """Return a wall time some months later. A day that the month lacks becomes its last day (RFC 5545 skips it)."""
    year, month0 = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    if year > _LAST_YEAR:
        raise OverflowError("past the year 9999")
    return wall.replace(year=year, month=month0 + 1, day=min(wall.day, _days_in(year, month0 + 1)))


def _days_in(year: int, month: int) -> int:
    # `calendar.monthrange` returns the same, but makes the tick import `locale` and `re`.
    if month == _FEBRUARY:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in _SHORT_MONTHS else 31


def parse_interval(
    frequency: int, unit: str, anchor: datetime | None, start: datetime | None, zone: tzinfo
) -> ElapsedInterval | CalendarInterval:
    """Return the grid of a task: from the wall time `start` where there is one, else from the instant `anchor`."""
    if start is not None:
        wall, first = start, resolve(start, zone)
    elif anchor is not None:
        wall, first = wall_time(anchor, zone), anchor.astimezone(UTC)
    else:
        raise ValueError("an interval needs a start or an anchor")
    if unit in {"minutes", "hours"}:
        return ElapsedInterval(first, timedelta(minutes=frequency * (60 if unit == "hours" else 1)))
    return CalendarInterval(wall, first, frequency, unit, zone)
