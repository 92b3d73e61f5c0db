"""Wall clocks: from an instant to a wall time in a zone, and back, on every kind of night.

A *wall time* is a naive datetime. PEP 495 gives the two rules that every schedule here rests on: with `fold=0` a time
that does not exist takes the offset that was in force before the gap, and a time that occurs twice is the first of the
two.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from runner.errors import ScheduleError

#: No zone in the IANA database ever moved its clock further than this at once (Manila 1844, Apia 2011: a day).
LARGEST_CHANGE = timedelta(hours=25)

_NOT_IANA = {"localtime", "posixrules", "Factory"}
_PROBE = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def load_zone(name: str) -> tzinfo:
    """Return the zone of an IANA name. Raises ScheduleError (field `timezone`) for a name that is not one."""
    if name in {"UTC", "Etc/UTC"}:
        return UTC
    # ZoneInfo opens files by this name: what is not a relative path below the database is refused first.
    # So are those that a machine has for itself: its own zone, and copies of all zones with other rules.
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
    """Return the last instant that a wall time can mean: when repeated the second one, else that of `resolve`."""
    return max(resolve(wall, zone), wall.replace(tzinfo=zone, fold=1).astimezone(UTC))


def wall_time(instant: datetime, zone: tzinfo) -> datetime:
    """Return what the wall clock shows at an instant, naive and without fold."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def offset_at(instant: datetime, zone: tzinfo) -> timedelta:
    """Return the zone's offset from UTC at an instant."""
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def earliest_wall(instant: datetime, zone: tzinfo) -> datetime:
    """Return a wall time at or before every wall time that resolves later than the instant.

    Right after a gap those are wall times inside the gap, which the clock itself has already jumped over.
    """
    offset = min(offset_at(instant, zone), offset_at(instant - LARGEST_CHANGE, zone))
    return instant.astimezone(UTC).replace(tzinfo=None) + offset


def next_change(after: datetime, until: datetime, zone: tzinfo) -> datetime | None:
    """Return the first instant in (after, until] from which another offset holds, to the second, or None.

    Looks once a day: no zone changes its offset and back within a day.
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
    # Zones change on whole seconds: between two of them there is always one to look at, or they are neighbours.
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
