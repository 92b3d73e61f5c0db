"""A slow and simple simulation of Debian's cron, minute by minute, written only from cron(8) and crontab(5).

cron(8), "Special considerations": if the clock skips less than three hours, the skipped jobs run soon after the
change. If it repeats less than three hours, the repeated jobs do not run again. This applies only to jobs without `*`
in the hour or minute specifier; others use the new time at once. A larger change is a correction, and all jobs use
the new time at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

_THREE_HOURS = 180
_MINUTE = timedelta(minutes=1)
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {
    3: dict(zip(_MONTHS, range(1, 13), strict=True)),
    4: dict(zip(_WEEKDAYS, range(7), strict=True)),
}


@dataclass(frozen=True)
class Wake:
    """One minute of the daemon: the wall minutes for which it checks wildcard jobs and fixed ones."""

    instant: datetime
    wildcard: tuple[datetime, ...]
    fixed: tuple[datetime, ...]


class Matcher:
    """Determines whether an expression matches a wall minute."""

    def __init__(self, expression: str) -> None:
        fields = expression.lower().split()
        self.sets = [_members(index, field) for index, field in enumerate(fields)]
        self.wildcard = fields[0][0] == "*" or fields[1][0] == "*"
        self.both_days = fields[2][0] == "*" or fields[4][0] == "*"

    def __call__(self, wall: datetime) -> bool:
        minutes, hours, days, months, weekdays = self.sets
        if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
            return False
        day, weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
        return (day and weekday) if self.both_days else (day or weekday)


def _members(index: int, field: str) -> set[int]:
    lowest, highest = _BOUNDS[index]
    found: set[int] = set()
    for term in field.split(","):
        span, _, step = term.partition("/")
        first, dash, last = span.partition("-")
        begin = lowest if span == "*" else _value(index, first)
        end = highest if span == "*" else _value(index, last) if dash else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return {value % 7 for value in found} if index == len(_BOUNDS) - 1 else found


def _value(index: int, text: str) -> int:
    return _NAMES.get(index, {}).get(text, -1) if text.isalpha() else int(text)


@cache
def wakes(zone: str, begin: datetime, end: datetime) -> tuple[Wake, ...]:
    """Return the minutes of the daemon's main loop from the UTC minute `begin` to `end`, both included."""
    clock = _clock(begin, zone)
    virtual = clock - _MINUTE
    found = []
    now = begin
    while now <= end:
        clock = _clock(now, zone)
        ahead = (clock - virtual) // _MINUTE
        # After a jump of n minutes the difference is n + 1, because one minute has passed as well.
        jump = ahead - 1
        if 0 <= jump < _THREE_HOURS:
            skipped = tuple(virtual + _MINUTE * (n + 1) for n in range(ahead))
            found.append(Wake(now, (clock,), skipped))
            virtual = clock
        elif -_THREE_HOURS < jump < 0:
            found.append(Wake(now, (clock,), ()))
        else:
            found.append(Wake(now, (clock,), (clock,)))
            virtual = clock
        now += _MINUTE
    return tuple(found)


def slots(expression: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Return the instants in [begin, end] in whose minute the daemon starts the job."""
    matches = Matcher(expression)
    found = []
    for wake in wakes(zone, begin, end):
        for wall in wake.wildcard if matches.wildcard else wake.fixed:
            if matches(wall):
                found.append(wake.instant)
                break
    return found


def _clock(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0, microsecond=0)


def utc(text: str) -> datetime:
    """Return the instant of an ISO text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
