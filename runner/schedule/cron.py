"""Cron expressions, as Debian's cron reads them and as it behaves when the clock is changed.

`cronsim` computes which naive wall-clock minutes an expression matches. This module decides what a matching minute
means when the clock changes, by cron(8) of Debian (3.0pl1, "Special considerations"):

- A *wildcard* job (minute or hour starts with `*`) follows the wall clock: it does not run in a skipped minute, and it
  runs twice in a repeated one.
- Any other job has fixed times. Those in a gap of less than three hours run in the first minute after the gap. Those
  in a repeated period of up to three hours run the first time only.
- A larger change is a correction of the clock: every job follows the new time at once.

The manual says "less than three hours" for both; the comparison in the daemon includes three hours backwards (Casey,
2010).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from runner.errors import ScheduleError
from runner.schedule.localtime import next_change, offset_at
from runner.schedule.wildcard import is_wildcard
from runner.value import Value

_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_CORRECTION = timedelta(hours=3)
_MOST_DIGITS = 9
_MAXIMUM = {"minute": 59, "hour": 23, "day": 31, "month": 12, "weekday": 7}
_FIELDS = tuple(_MAXIMUM)

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class CronRule(Value):
    """Five fields that `parse_cron` has accepted, in a zone."""

    expression: str
    zone: tzinfo

    def after(self, instant: datetime) -> datetime | None:
        """Return the first slot strictly later than the instant, in UTC; None where there is none within 50 years."""
        fixed = not is_wildcard(self.expression)
        instant = instant.astimezone(UTC)
        offset = offset_at(instant, self.zone)
        floor = _wall(instant, offset)
        if fixed:
            floor = max(floor, self._already_run(instant))
        while True:
            wall = self._next_match(floor)
            if wall is None:
                return None
            slot = wall.replace(tzinfo=UTC) - offset
            change = next_change(instant, slot, self.zone)
            if change is None:
                return slot
            moved = offset_at(change, self.zone) - offset
            if fixed and timedelta(0) < moved < _CORRECTION and wall < _wall(change, offset) + moved:
                return _minute_from(change)
            # Continue at the wall time after the change. Fixed times wait until the repeated period is over.
            repeated = fixed and -_CORRECTION <= moved < timedelta(0)
            floor = _wall(change, offset if repeated else offset + moved) - _SECOND
            instant, offset = change, offset + moved

    def _next_match(self, wall: datetime) -> datetime | None:
        return next(CronSim(self.expression, wall), None)

    def _already_run(self, instant: datetime) -> datetime:
        """Return up to which wall time fixed jobs have run: ahead of the clock in a repeated period."""
        earlier = instant - _CORRECTION
        change = next_change(earlier, instant, self.zone)
        if change is None:
            return datetime.min  # noqa: DTZ901 - a wall time is naive
        before = offset_at(earlier, self.zone)
        moved = offset_at(change, self.zone) - before
        if not -_CORRECTION <= moved < timedelta(0):
            return datetime.min  # noqa: DTZ901
        return _wall(change, before) - _SECOND


def _wall(instant: datetime, offset: timedelta) -> datetime:
    return instant.replace(tzinfo=None) + offset


def _minute_from(instant: datetime) -> datetime:
    floor = instant.replace(second=0, microsecond=0)
    return floor if floor == instant else floor + _MINUTE


def parse_cron(text: str, zone: tzinfo) -> CronRule:
    """Return the rule of five fields or an `@` macro.

    Raises ScheduleError (field `cron`) for everything that Debian's cron refuses, never runs, or reads in another way
    than it is written.
    """
    expression = " ".join(text.split()).lower()
    if expression.startswith("@"):
        return CronRule(_expand(expression), zone)
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise _wrong_number(fields)
    expression = " ".join(
        ",".join(_checked(name, term) for term in field.split(",")) for name, field in zip(_FIELDS, fields, strict=True)
    )
    try:
        CronSim(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - a wall time is naive
    except CronSimError as error:
        raise _never(expression, error) from error
    return CronRule(expression, zone)


def _expand(macro: str) -> str:
    if macro in MACROS:
        return MACROS[macro]
    known = ", ".join(MACROS)
    if macro == "@reboot":
        raise ScheduleError("cron", "@reboot is not a time", f"use one of {known}")
    if macro.startswith("@every"):
        raise ScheduleError("cron", "Debian's cron does not know @every", "use `frequency` and `unit`")
    raise ScheduleError("cron", f"unknown macro {macro}", f"use one of {known}")


def _wrong_number(fields: list[str]) -> ScheduleError:
    what = f"{len(fields)} field{'' if len(fields) == 1 else 's'} where cron has five"
    hint = "write: minute hour day-of-month month day-of-week"
    if len(fields) in {6, 7}:
        hint = "Debian's cron has no fields for seconds and years; " + hint
    return ScheduleError("cron", what, hint)


def _checked(name: str, term: str) -> str:
    """Return one element of a list, such as `*`, `*/5`, `3`, `1-5/2` or `mon`, in the form that cronsim reads."""
    body, slash, step = term.partition("/")
    low, dash, high = body.partition("-")
    first = last = 0
    if body != "*":
        first = last = _number(name, low, term)
        if dash:
            last = _number(name, high, term)
    if slash:
        _check_step(name, body, step)
    if last < first:
        raise ScheduleError(
            "cron",
            f"{name} range {body} runs backwards: cron would never match it",
            _unrolled(name, first, last, int(step or 1)),
        )
    # cronsim reads 5-5/10 as 5/10, and that as 5-59/10; cron reads it as 5.
    return low if dash and first == last else term


def _check_step(name: str, body: str, step: str) -> None:
    size = _MAXIMUM[name] + (name in {"minute", "hour"})
    if not step.isascii() or not step.isdigit() or len(step) > _MOST_DIGITS or not int(step):
        raise ScheduleError("cron", f"{name} step /{step} is not a positive number", "write for example */5")
    if int(step) > size:
        raise ScheduleError(
            "cron",
            f"{name} step /{step} is larger than the field: it would match once only",
            "use `frequency` and `unit` for longer intervals",
        )
    if body != "*" and "-" not in body:
        raise ScheduleError(
            "cron",
            f"{name} {body}/{step}: Debian's cron ignores a step after a single number",
            f"write {body}-{_MAXIMUM[name]}/{step}",
        )


def _number(name: str, text: str, term: str) -> int:
    names = {"month": _MONTHS, "weekday": _WEEKDAYS}.get(name, ())
    if text in names:
        return names.index(text) + (name == "month")
    if text.isascii() and text.isdigit():
        number = int(text) if len(text) <= _MOST_DIGITS else -1
        if (name in {"minute", "hour", "weekday"} or number) and 0 <= number <= _MAXIMUM[name]:
            return number
        lowest = 0 if name in {"minute", "hour", "weekday"} else 1
        raise ScheduleError(
            "cron", f"{name} {text} is out of range", f"the {name} goes from {lowest} to {_MAXIMUM[name]}"
        )
    raise ScheduleError("cron", f"{name} {term!r} is not understood", _dialect_hint(name, term, names))


def _dialect_hint(name: str, term: str, names: tuple[str, ...]) -> str:
    is_of_month = "#" in term or (not term.strip("0123456789lw") and term.strip("0123456789"))
    if name in {"day", "weekday"} and is_of_month:
        return "for the nth or last day of a month use rrule, such as FREQ=MONTHLY;BYDAY=2FR or BYMONTHDAY=-1"
    if "?" in term and _is_read(name, term.replace("?", "*")):
        return "write * instead of ?"
    if names:
        return f"use numbers or {', '.join(names)}"
    return "use numbers, *, lists (1,2), ranges (1-5) and steps (*/5)"


def _is_read(name: str, term: str) -> bool:
    try:
        _checked(name, term)
    except ScheduleError:
        return False
    return True


def _unrolled(name: str, first: int, last: int, step: int) -> str:
    """Return the hint for a range that wraps around, such as from 22 to 2 o'clock: the list to write instead."""
    if name == "weekday":
        days = [*range(first, 7), *range(last + 1)]
        return f"write {','.join(_WEEKDAYS[day] for day in days[::step])}"
    lowest = 0 if name in {"minute", "hour"} else 1
    if step == 1:
        return f"write {first}-{_MAXIMUM[name]},{lowest}-{last}"
    values = [*range(first, _MAXIMUM[name] + 1), *range(lowest, last + 1)]
    return f"write {','.join(map(str, values[::step]))}"


def _never(expression: str, error: CronSimError) -> ScheduleError:
    day, month = expression.split()[2:4]
    if "day-of-month" in str(error).lower():
        return ScheduleError("cron", f"day {day} does not exist in month {month}", "correct the day or the month")
    return ScheduleError("cron", str(error), "write: minute hour day-of-month month day-of-week")
