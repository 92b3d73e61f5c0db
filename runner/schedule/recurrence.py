"""`rrule` (RFC 5545, section 3.3.10): dates by dateutil, on naive times only.

dateutil iterates from DTSTART over all periods until the year 9999. This module moves both ends, so that the time of a
search does not depend on the age of a rule, and so that a rule without slots is found:

- The iteration starts at a period of the rule's grid shortly before the wall time in question.
- It runs in the same year of a later 400-year cycle of the Gregorian calendar, which has the same weekdays, so that
  the year 9999 is only a few centuries away.

For HOURLY and MINUTELY rules, dateutil computes the days, and this module computes a grid of minutes in each day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice
from math import gcd
from typing import Any

from dateutil import rrule

from runner.errors import ScheduleError
from runner.schedule.localtime import LARGEST_CHANGE, earliest_wall, resolve, wall_time
from runner.schedule.rrule_text import Parts, parse_parts
from runner.value import Value, replace

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_WEEK = timedelta(weeks=1)
_MINUTES_A_DAY = 1440
_LAST_YEAR = 9999  # of datetime
_CYCLE = 400  # years after which the Gregorian calendar repeats, weekdays included
_HORIZON = 200  # the least number of years that are searched
_SUBDAILY_HORIZON = timedelta(days=40 * 366)
_FREQUENCIES: dict[str, Any] = {
    "YEARLY": rrule.YEARLY,
    "MONTHLY": rrule.MONTHLY,
    "WEEKLY": rrule.WEEKLY,
    "DAILY": rrule.DAILY,
}


class RecurrenceRule(Value):
    """An RFC 5545 rule in which the parts that it takes from DTSTART are explicit.

    `last` is the last wall time of a rule with COUNT or UNTIL, `until` the last instant where UNTIL is in UTC.
    """

    parts: Parts
    dtstart: datetime
    zone: tzinfo
    last: datetime | None = None
    until: datetime | None = None

    def after(self, instant: datetime) -> datetime | None:
        """Return the first slot strictly later than the instant, in UTC, or None where there is none.

        A wall time in a gap may resolve to a later instant than a wall time after it. The search therefore continues
        until the wall clock has passed the earliest slot found.
        """
        best: datetime | None = None
        for wall in self.walls(earliest_wall(instant, self.zone)):
            if best is not None and wall >= wall_time(best, self.zone):
                break
            slot = resolve(wall, self.zone)
            if slot > instant and (best is None or slot < best):
                best = slot
        return None if best is None or (self.until is not None and best > self.until) else best

    def walls(self, since: datetime) -> Iterator[datetime]:
        """Yield the wall times of the rule from `since` on, ascending."""
        since = max(since, self.dtstart)
        for wall in self._periods(since):
            if self.last is not None and wall > self.last:
                return
            if wall >= since:
                yield wall

    def _periods(self, since: datetime) -> Iterator[datetime]:
        if self.parts.freq in _FREQUENCIES:
            return _walk(self.parts, _grid_start(self.parts, self.dtstart, since))
        return self._within_days(since)

    def _within_days(self, since: datetime) -> Iterator[datetime]:
        days_of = replace(self.parts, freq="DAILY", interval=1, byhour=(0,), byminute=(0,), bysecond=(0,), bysetpos=())
        for day in _walk(days_of, datetime.combine(since.date(), time())):
            if day - since > _SUBDAILY_HORIZON:
                return
            yield from self._times_of(day)

    def _times_of(self, day: datetime) -> Iterator[datetime]:
        step = self.parts.interval * (_MINUTE if self.parts.freq == "MINUTELY" else 60 * _MINUTE)
        source = self.dtstart.replace(second=0, minute=self.dtstart.minute if self.parts.freq == "MINUTELY" else 0)
        moment = source + -(-(day - source) // step) * step
        while moment < day + _DAY:
            if not self.parts.byhour or moment.hour in self.parts.byhour:
                yield from self._expanded(moment)
            moment += step

    def _expanded(self, moment: datetime) -> list[datetime]:
        minutes = self.parts.byminute
        if self.parts.freq == "MINUTELY":
            minutes = (moment.minute,) if not minutes or moment.minute in minutes else ()
        times = [moment.replace(minute=minute, second=second) for minute in minutes for second in self.parts.bysecond]
        if not self.parts.bysetpos:
            return times
        # Positions count from 1, and from the end with a minus sign (RFC 5545, BYSETPOS).
        chosen = {position - 1 if position > 0 else len(times) + position for position in self.parts.bysetpos}
        return [time for index, time in enumerate(times) if index in chosen]


def parse_recurrence(text: str, start: datetime | None, anchor: datetime | None, zone: tzinfo) -> RecurrenceRule:
    """Return the rule of an RFC 5545 text.

    DTSTART is the wall time `start`. Without it, DTSTART is the day of the anchor (or 1 January 2000) with those parts
    of its time of day that the rule leaves open; parts finer than the finest of the rule are zero. Raises
    ScheduleError (field `rrule`).
    """
    parts = parse_parts(text)
    dtstart = start if start is not None else _implied_start(parts, anchor, zone)
    explicit = _explicit(parts, dtstart)
    if not _meets_the_clock(explicit, dtstart):
        raise ScheduleError("rrule", "this rule has no date", "INTERVAL skips every time of day that the rule names")
    until = parts.until
    in_utc = until if until is not None and until.tzinfo is not None else None
    last = until if in_utc is None else wall_time(in_utc, zone) + LARGEST_CHANGE
    rule = RecurrenceRule(explicit, dtstart.replace(microsecond=0), zone, last, in_utc)
    if parts.count is None:
        return rule
    counted = list(islice(rule.walls(dtstart), parts.count))
    return replace(rule, last=counted[-1] if counted else dtstart - _MINUTE)


def _implied_start(parts: Parts, anchor: datetime | None, zone: tzinfo) -> datetime:
    wall = wall_time(anchor, zone) if anchor is not None else datetime(2000, 1, 1)  # noqa: DTZ001 - a wall time is naive
    wall = wall.replace(second=0, microsecond=0)
    if parts.byminute:
        return datetime.combine(wall.date(), time()) if not parts.is_subdaily() else wall
    if parts.byhour:
        return wall.replace(minute=0) if parts.is_subdaily() else datetime.combine(wall.date(), time())
    return wall


def _explicit(parts: Parts, dtstart: datetime) -> Parts:
    """Return the parts with the values that RFC 5545 takes from DTSTART, so that DTSTART can be moved."""
    day = date(dtstart.year, dtstart.month, dtstart.day)
    if not parts.names_days():
        if parts.freq == "YEARLY":
            parts = replace(parts, bymonth=parts.bymonth or (day.month,), bymonthday=(day.day,))
        elif parts.freq == "MONTHLY":
            parts = replace(parts, bymonthday=(day.day,))
        elif parts.freq == "WEEKLY":
            parts = replace(parts, byday=((day.weekday(), 0),))
    fixed_hour = parts.freq not in {"HOURLY", "MINUTELY"}
    return replace(
        parts,
        byhour=parts.byhour or ((dtstart.hour,) if fixed_hour else ()),
        byminute=parts.byminute or ((dtstart.minute,) if parts.freq != "MINUTELY" else ()),
        bysecond=parts.bysecond or (dtstart.second,),
    )


def _meets_the_clock(parts: Parts, dtstart: datetime) -> bool:
    """Return whether a sub-daily grid meets the hours and minutes of the rule: it repeats by gcd(step, day)."""
    if not parts.is_subdaily():
        return True
    minutely = parts.freq == "MINUTELY"
    period = gcd(parts.interval * (1 if minutely else 60), _MINUTES_A_DAY)
    source = dtstart.hour * 60 + (dtstart.minute if minutely else 0)
    minutes = (parts.byminute or range(60)) if minutely else (0,)
    return any((hour * 60 + minute - source) % period == 0 for hour in parts.byhour or range(24) for minute in minutes)


def _grid_start(parts: Parts, dtstart: datetime, since: datetime) -> datetime:
    """Return the midnight at or before `since` at which a period of the rule's grid begins."""
    every = parts.interval
    if parts.freq == "YEARLY":
        return datetime(since.year - (since.year - dtstart.year) % every, 1, 1)  # noqa: DTZ001 - a wall time is naive
    if parts.freq == "MONTHLY":
        months = (since.year - dtstart.year) * 12 + since.month - dtstart.month
        year, month0 = divmod(since.year * 12 + since.month - 1 - months % every, 12)
        return datetime(year, month0 + 1, 1)  # noqa: DTZ001
    first = datetime.combine(dtstart.date(), time())
    step = every * _DAY
    if parts.freq == "WEEKLY":
        first -= ((first.weekday() - parts.wkst) % 7) * _DAY
        step = every * _WEEK
    return first + (since - first) // step * step


def _walk(parts: Parts, begin: datetime) -> Iterator[datetime]:
    """Yield the rule's wall times from the grid point `begin` on, until the horizon."""
    shift = (_LAST_YEAR - begin.year) // _CYCLE
    if _LAST_YEAR - begin.year - shift * _CYCLE < _HORIZON:
        shift -= 1
    years = shift * _CYCLE
    rule = rrule.rrule(
        _FREQUENCIES[parts.freq],
        dtstart=begin.replace(year=begin.year + years),
        interval=parts.interval,
        wkst=parts.wkst,
        bysetpos=parts.bysetpos or None,
        bymonth=parts.bymonth or None,
        bymonthday=parts.bymonthday or None,
        byyearday=parts.byyearday or None,
        byweekno=parts.byweekno or None,
        byweekday=[rrule.weekday(day, nth or None) for day, nth in parts.byday] or None,
        byhour=parts.byhour or None,
        byminute=parts.byminute or None,
        bysecond=parts.bysecond or None,
    )
    for wall in rule:
        if wall.year - years > _LAST_YEAR:
            return
        yield wall.replace(year=wall.year - years)
