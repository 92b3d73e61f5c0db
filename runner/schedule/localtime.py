"""Convert between instants and wall times of a zone, also when the clock changes.

A *wall time* is a naive datetime. PEP 495 has the two rules that all schedules use. With `fold=0`, a time that does
not exist has the offset from before the gap, and a time that occurs twice is the first of the two.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from runner.errors import ScheduleError

#: The largest change of a clock in the IANA database is a day (Manila 1844, Apia 2011).
LARGEST_CHANGE = timedelta(hours=25)

_NOT_IANA = {"localtime", "posixrules", "Factory"}
_PROBE = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def load_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name. Raises ScheduleError (field `timezone`) for any other name."""
    if name in {"UTC", "Etc/UTC"}:
        return UTC
    # ZoneInfo opens files by this name, so a name that is not a relative path below the database is refused first.
    # Names that depend on the machine are refused, too: its own zone, and copies of all zones with other rules.
    if name.startswith(("/", ".", "posix/", "right/")) or ".." in name or "\0" in name or name in _NOT_IANA:
        raise ScheduleError("timezone", f"unknown time zone {name!r}", "use an IANA name such as Europe/Berlin")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleError(
            "timezone", f"unknown time zone {name!r}", "use an IANA name such as Europe/Berlin"
        ) from error


def resolve(wall: datetime, zone: tzinfo) -> datetime:
    """Return the instant of a wall time: in a gap by the offset before it, when repeated the first one."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def resolve_last(wall: datetime, zone: tzinfo) -> datetime:
    """Return the last instant of a wall time: when repeated the second one, else that of `resolve`."""
    return max(resolve(wall, zone), wall.replace(tzinfo=zone, fold=1).astimezone(UTC))


def wall_time(instant: datetime, zone: tzinfo) -> datetime:
    """Return the wall time of an instant, naive and without fold."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def offset_at(instant: datetime, zone: tzinfo) -> timedelta:
    """Return the zone's offset from UTC at an instant."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def earliest_wall(instant: datetime, zone: tzinfo) -> datetime:
    """Return a wall time at or before every wall time that resolves later than the instant.

    Right after a gap, these are wall times in the gap, which the clock has skipped.
    """
    offset = min(offset_at(instant, zone), offset_at(instant - LARGEST_CHANGE, zone))
    return instant.astimezone(UTC).replace(tzinfo=None) + offset


def next_change(after: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """Return the first instant in (after, until] from which another offset holds, to the second, or None.

    It compares one instant a day: no zone changes its offset and back within a day.
    """
    before = offset_at(after, zone)
    low = after
    while low < until:
        high = min(low + _PROBE, until)
        if offset_at(high, zone) != before:
            return _first_with_other_offset(low, high, zone)
        low = high
    return None


def _first_with_other_offset(low: datetime, high: datetime, zone: tzinfo) -> datetime:
    before = offset_at(low, zone)
    # Offsets change at whole seconds, so the search ends at two neighbouring seconds.
    low = low.replace(microsecond=0)
    high = high if high.microsecond == 0 else high.replace(microsecond=0) + _SECOND
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if offset_at(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high
