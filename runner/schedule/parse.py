"""Parse the keys of a task file into a schedule."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from runner.errors import ScheduleError
from runner.schedule.interval import parse_interval
from runner.schedule.localtime import load_zone, resolve, resolve_last
from runner.schedule.schedule import Schedule
from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.schedule.schedule import Rule

UNITS = ("minutes", "hours", "days", "weeks", "months")
_LAST_SECOND = timedelta(days=1) - timedelta(seconds=1)
_DATE_ONLY = 10
_FIRST_YEAR = 1900
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


class _Keys(Value):
    """The keys of a rule, read and checked."""

    fields: Mapping[str, object]
    zone: tzinfo
    start: datetime | None
    anchor: datetime | None


def parse_schedule(fields: Mapping[str, object]) -> Schedule:
    """Return the schedule that the keys of a task file describe.

    Reads `frequency` + `unit`, `cron` or `rrule`; `start` and `end` (wall times in `timezone`, as text, date or naive
    datetime); `timezone` (IANA name, default UTC); and `anchor`, an aware datetime, which is used where there is no
    `start`. Other keys are ignored. Raises ScheduleError for invalid values and combinations.
    """
    zone = load_zone(str(fields.get("timezone") or "UTC"))
    start = _wall_time(fields, "start")
    end = _wall_time(fields, "end")
    if start is not None and end is not None and end < start:
        raise ScheduleError("end", "end is before start", "swap them, or correct the year")
    anchor = fields.get("anchor")
    if anchor is not None and (not isinstance(anchor, datetime) or anchor.tzinfo is None):
        raise ScheduleError("anchor", "the anchor must be an aware datetime")
    return Schedule(
        rule=_rule(_Keys(fields, zone, start, anchor)),
        zone=zone,
        start=_bound(start, zone, resolve),
        end=_bound(end, zone, resolve_last),
    )


def _bound(wall: datetime | None, zone: tzinfo, meaning: Callable[[datetime, tzinfo], datetime]) -> datetime | None:
    try:
        return None if wall is None else meaning(wall, zone)
    except OverflowError:
        return _END_OF_TIME  # 9999-12-31 in a zone west of Greenwich


def _rule(keys: _Keys) -> Rule:
    given = [kind for kind in ("frequency", "cron", "rrule") if keys.fields.get(kind) is not None]
    if len(given) != 1:
        what = "no schedule" if not given else f"more than one schedule: {' and '.join(given)}"
        raise ScheduleError(given[-1] if given else "frequency", what, "give frequency + unit, or cron, or rrule")
    return {"frequency": _interval, "cron": _cron, "rrule": _recurrence}[given[0]](keys)


def _interval(keys: _Keys) -> Rule:
    frequency, unit = keys.fields["frequency"], normal_unit(keys.fields.get("unit"))
    if isinstance(frequency, bool) or not isinstance(frequency, int) or frequency < 1:
        raise ScheduleError("frequency", "frequency must be a positive integer", "write for example: frequency: 15")
    if keys.start is None and keys.anchor is None:
        raise ScheduleError("anchor", "an interval needs a start or an anchor")
    try:
        return parse_interval(frequency, unit, keys.anchor, keys.start, keys.zone)
    except OverflowError as error:
        raise ScheduleError("frequency", "no slot of this interval comes before the year 10000") from error


def normal_unit(unit: object) -> str:
    """Return the plural of a unit, which may be in the singular. Raises ScheduleError (field `unit`)."""
    plural = unit + "s" if isinstance(unit, str) and not unit.endswith("s") else unit
    if plural not in UNITS:
        what = "unit is missing" if unit is None else f"unknown unit {unit!r}"
        raise ScheduleError("unit", what, f"use one of {', '.join(UNITS)}")
    return str(plural)


def _cron(keys: _Keys) -> Rule:
    # Imported here: cronsim loads `typing`, `enum` and `calendar`, which ticks without cron tasks do not need.
    from runner.schedule.cron import parse_cron  # noqa: PLC0415

    return parse_cron(str(keys.fields["cron"]), keys.zone)


def _recurrence(keys: _Keys) -> Rule:
    # Imported here for the same reason: dateutil's rrule loads `re`, `calendar` and `heapq`.
    from runner.schedule.recurrence import parse_recurrence  # noqa: PLC0415

    return parse_recurrence(str(keys.fields["rrule"]), keys.start, keys.anchor, keys.zone)


def _wall_time(fields: Mapping[str, object], key: str) -> datetime | None:
    """Return a bound as a naive wall time. A date is the first second of its day, for `end` the last one."""
    value = fields.get(key)
    if value is None:
        return None
    try:
        wall, day_only = _read_wall_time(value)
    except ValueError as error:
        raise ScheduleError(
            key, f"{key} {value!r} is not a date", "write 2026-03-29 or 2026-03-29 08:00, from 1900 on"
        ) from error
    if wall.tzinfo is not None:
        raise ScheduleError(key, f"{key} carries an offset", "write it as wall-clock time and set timezone")
    return wall + _LAST_SECOND if day_only and key == "end" else wall


def _read_wall_time(value: object) -> tuple[datetime, bool]:
    if isinstance(value, datetime):
        return value.replace(fold=0), False
    if isinstance(value, date):
        return datetime.combine(value, time()), True
    text = str(value).strip()
    wall = datetime.fromisoformat(text)
    if wall.year < _FIRST_YEAR:
        raise ValueError(f"{text} is too long ago for time zones to mean anything")
    return wall, len(text) <= _DATE_ONLY
