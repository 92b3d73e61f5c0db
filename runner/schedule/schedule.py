"""One schedule: a rule within its bounds."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.schedule.cron import CronRule
    from runner.schedule.interval import CalendarInterval, ElapsedInterval
    from runner.schedule.recurrence import RecurrenceRule

    Rule = ElapsedInterval | CalendarInterval | CronRule | RecurrenceRule

_MICROSECOND = timedelta(microseconds=1)
_FIRST_STEP = timedelta(minutes=1)


class Schedule(Value):
    """A rule within bounds. `start` and `end` are inclusive instants; `zone` is the time zone of wall times."""

    rule: Rule
    zone: tzinfo
    start: datetime | None = None
    end: datetime | None = None

    def after(self, instant: datetime) -> datetime | None:
        """Return the first slot strictly later than the instant, in UTC, or None where there is none."""
        if self.start is not None and instant < self.start:
            instant = self.start - _MICROSECOND
        try:
            slot = self.rule.after(instant)
        except (OverflowError, ValueError):
            # datetime raises one of these for a date after the year 9999: there is no slot.
            return None
        if slot is None or (self.end is not None and slot > self.end):
            return None
        return slot

    def latest(self, after: datetime, until: datetime) -> datetime | None:
        """Return the last slot in (after, until], in UTC, or None where there is none.

        The number of `after` calls grows with the logarithm of the distance between two slots, not with that of the
        interval.
        """
        if until <= after:
            return None
        slot = self._some_slot(after, until)
        # The last slot is in [slot, high]. Halve this interval until no slot follows.
        high = until
        while slot is not None and (following := self.after(slot)) is not None and following <= high:
            middle = slot + (high - slot) // 2
            beyond = self.after(middle)
            if beyond is not None and beyond <= high:
                slot = beyond
            else:
                slot, high = following, middle
        return slot

    def count(self, after: datetime, until: datetime, at_most: int) -> int:
        """Return the number of slots in (after, until], at most `at_most`."""
        found = 0
        slot = self.after(after)
        while found < at_most and slot is not None and slot <= until:
            found += 1
            slot = self.after(slot)
        return found

    def _some_slot(self, after: datetime, until: datetime) -> datetime | None:
        """Return a slot near the end of (after, until], or None. The steps of the search backwards double."""
        step = _FIRST_STEP
        while True:
            low = max(after, until - step)
            slot = self.after(low)
            if slot is not None and slot <= until:
                return slot
            if low == after:
                return None
            step *= 2
