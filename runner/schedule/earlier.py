"""Continue a schedule to before its anchor, for tasks that run while the clock is behind their anchor.

A change of the clock never moves an anchor. If the present is before the anchor, the clock was wrong then or is wrong
now. The grid is the same in both directions, so that the days and hours of the slots do not move.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from runner.schedule.interval import add_months
from runner.schedule.localtime import resolve, wall_time

_ELAPSED = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}
_DAYS = {"days": timedelta(days=1), "weeks": timedelta(weeks=1)}
#: For an interval in hours or minutes: a multiple of so many days keeps every wall time.
_UNITS = {"MINUTELY": "days", "HOURLY": "days", "DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months"}
_MONTHS_A_YEAR = 12
#: After so many periods, every day of the month and every wall time exists again.
_MOST_TRIES = 100


def earlier_anchor(frequency: int, unit: str, anchor: datetime, before: datetime, zone: tzinfo) -> datetime:
    """Return a point of the grid of an interval at or before an instant, whole periods before the anchor.

    The point has the day and the wall time of the anchor: a day that a month lacks, or a time in a gap, would change
    the grid.
    """
    if before >= anchor:
        return anchor
    if unit in _ELAPSED:
        step = frequency * _ELAPSED[unit]
        return anchor - -((before - anchor) // step) * step
    wall = wall_time(anchor, zone)
    periods = _periods_back(frequency, unit, wall, wall_time(before, zone))
    for number in range(periods, periods + _MOST_TRIES):
        earlier = _back(wall, unit, number * frequency)
        instant = resolve(earlier, zone)
        is_whole = unit in _DAYS or earlier.day == wall.day
        if is_whole and wall_time(instant, zone) == earlier and instant <= before:
            return instant
    return anchor


def earlier_start(rule: str, anchor: datetime, before: datetime, zone: tzinfo) -> datetime:
    """Return the same for an RFC 5545 rule. A rule with COUNT has no slots before its anchor."""
    # Imported here, because it loads `typing`, and is needed only after the clock was set back.
    from runner.schedule.rrule_text import parse_parts  # noqa: PLC0415

    parts = parse_parts(rule)
    if parts.count is not None:
        return anchor
    if parts.freq == "YEARLY":
        return earlier_anchor(parts.interval * _MONTHS_A_YEAR, "months", anchor, before, zone)
    return earlier_anchor(parts.interval, _UNITS[parts.freq], anchor, before, zone)


def _periods_back(frequency: int, unit: str, anchor: datetime, before: datetime) -> int:
    if unit in _DAYS:
        return -((before - anchor) // (frequency * _DAYS[unit]))
    months = (anchor.year - before.year) * _MONTHS_A_YEAR + anchor.month - before.month
    return -(-months // frequency)


def _back(wall: datetime, unit: str, units: int) -> datetime:
    return wall - units * _DAYS[unit] if unit in _DAYS else add_months(wall, -units)
