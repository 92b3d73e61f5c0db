"""Parse the text of an RFC 5545 recurrence rule strictly."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from runner.errors import ScheduleError
from runner.value import Value

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_LARGEST_COUNT = 10_000
_LARGEST_INTERVAL = 10_000
_MOST_DIGITS = 9

#: name of a part → its smallest and largest value, and whether it counts from the end with a minus sign
_RANGES = {
    "BYSECOND": (0, 59, False),
    "BYMINUTE": (0, 59, False),
    "BYHOUR": (0, 23, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYMONTH": (1, 12, False),
    "BYSETPOS": (1, 366, True),
}
#: RFC 5545, the table under BYSETPOS: the frequencies with which a part is not allowed.
_FORBIDDEN = {
    "BYWEEKNO": {"MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"},
    "BYYEARDAY": {"MONTHLY", "WEEKLY", "DAILY"},
    "BYMONTHDAY": {"WEEKLY"},
}


class Parts(Value):
    """The parts of a rule; empty where not given. `byday` has (weekday, n): Monday is 0, and n is 0 for every week."""

    freq: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    wkst: int = 0
    bysecond: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byday: tuple[tuple[int, int], ...] = ()
    bymonthday: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    bymonth: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()

    def names_days(self) -> bool:
        """Return whether a part other than BYMONTH selects days."""
        return bool(self.byday or self.bymonthday or self.byyearday or self.byweekno)

    def is_subdaily(self) -> bool:
        """Return whether the rule repeats within a day."""
        return self.freq in {"HOURLY", "MINUTELY"}


def parse_parts(text: str) -> Parts:
    """Return the parts of a rule such as `FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9`. Raises ScheduleError (field `rrule`)."""
    given = _split(text.strip().upper().removeprefix("RRULE:"))
    parts = Parts(freq=_frequency(given), **{name.lower(): _value(name, raw) for name, raw in given.items()})
    _check_together(parts, given)
    return parts


def _split(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise _error(f"{part!r} is not NAME=VALUE", "write for example FREQ=MONTHLY;BYDAY=2TU;BYHOUR=9")
        if name in given:
            raise _error(f"{name} is given twice")
        given[name] = value
    return given


def _frequency(given: dict[str, str]) -> str:
    freq = given.pop("FREQ", None)
    if freq == "SECONDLY":
        raise _error("FREQ=SECONDLY is finer than cron's minute", "FREQ=MINUTELY is the finest")
    if freq not in _FREQUENCIES:
        what = "FREQ is missing" if freq is None else f"unknown FREQ={freq}"
        raise _error(what, f"use one of {', '.join(_FREQUENCIES)}")
    return freq


def _value(name: str, raw: str) -> Any:  # one line for each part, in the order of the RFC
    if name == "INTERVAL":
        return _integer(name, raw, 1, _LARGEST_INTERVAL)
    if name == "COUNT":
        return _integer(name, raw, 1, _LARGEST_COUNT)
    if name == "UNTIL":
        return _until(raw)
    if name == "WKST":
        return _weekday(name, raw)
    if name == "BYDAY":
        return tuple(_by_day(item.strip()) for item in raw.split(","))
    if name in _RANGES:
        low, high, negative = _RANGES[name]
        return tuple(sorted({_integer(name, item.strip(), low, high, negative) for item in raw.split(",")}))
    known = ["FREQ", *(field.upper() for field in Parts.__fields__ if field != "freq")]
    hint = "set `start` and `timezone` beside it" if name in {"DTSTART", "TZID"} else f"known are {', '.join(known)}"
    raise _error(f"unknown part {name}", hint)


def _integer(name: str, raw: str, low: int, high: int, negative: bool = False) -> int:  # noqa: FBT001, FBT002
    digits = raw.removeprefix("+") if not raw.startswith("-") or not negative else raw[1:]
    if not digits.isascii() or not digits.isdigit() or len(digits) > _MOST_DIGITS or not low <= int(digits) <= high:
        also = f" or -{high} to -{low}" if negative else ""
        raise _error(f"{name}={raw} is out of range", f"{name} goes from {low} to {high}{also}")
    return -int(digits) if raw.startswith("-") else int(digits)


def _weekday(name: str, raw: str) -> int:
    if raw not in _WEEKDAYS:
        raise _error(f"{name}={raw} is not a weekday", f"use {', '.join(_WEEKDAYS)}")
    return _WEEKDAYS.index(raw)


def _by_day(item: str) -> tuple[int, int]:
    weekday = _weekday("BYDAY", item[-2:])
    nth = item[:-2]
    return weekday, _integer("BYDAY", nth, 1, 53, negative=True) if nth else 0


def _until(raw: str) -> datetime:
    try:
        day = date.fromisoformat(raw[:8])
        if len(raw) == len("YYYYMMDD"):
            return datetime(day.year, day.month, day.day, 23, 59, 59)  # noqa: DTZ001 - a wall time is naive
        wall = datetime.fromisoformat(raw.removesuffix("Z"))
    except ValueError as error:
        raise _error(f"UNTIL={raw} is not a date", "write UNTIL=20261231 or UNTIL=20261231T235959Z") from error
    return wall.replace(tzinfo=UTC) if raw.endswith("Z") else wall


def _check_together(parts: Parts, given: dict[str, str]) -> None:
    for name, frequencies in _FORBIDDEN.items():
        if name in given and parts.freq in frequencies:
            raise _error(f"{name} cannot be combined with FREQ={parts.freq} (RFC 5545)")
    if parts.count is not None and parts.until is not None:
        raise _error("COUNT cannot be combined with UNTIL (RFC 5545)", "keep one of them")
    numbered = any(nth for _, nth in parts.byday)
    if numbered and parts.freq not in {"MONTHLY", "YEARLY"}:
        hint = "number a day with FREQ=MONTHLY or FREQ=YEARLY only"
        raise _error(f"a numbered BYDAY cannot be combined with FREQ={parts.freq} (RFC 5545)", hint)
    if numbered and parts.byweekno:
        raise _error("a numbered BYDAY cannot be combined with BYWEEKNO (RFC 5545)", "remove the number or BYWEEKNO")
    if parts.bysetpos and not any(name.startswith("BY") and name != "BYSETPOS" for name in given):
        raise _error("BYSETPOS needs another BY… part (RFC 5545)")


def _error(message: str, hint: str | None = None) -> ScheduleError:
    return ScheduleError("rrule", message, hint)
