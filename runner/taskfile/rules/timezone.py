"""The time zone is one that the IANA database knows."""

from collections.abc import Iterator
from functools import cache

from runner.errors import ScheduleError
from runner.schedule.localtime import load_zone
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

#: Zones of places. Others are named by offsets, whose signs few expect, and by abbreviations of two places or more.
_AREAS = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
_REFUSED = {"Factory", "localtime", "posixrules", "Australia/North", "Australia/South", "Australia/West"}
#: How alike two names of cities are of which one is a slip of the other (difflib).
_ALIKE = 0.8


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for an unknown time zone, with the nearest known one."""
    finding = unknown_zone(draft.get("timezone"))
    if finding is not None:
        message, hint = finding
        yield draft.finding("timezone", "timezone", message, hint)


def unknown_zone(name: object) -> tuple[str, str] | None:
    """Return what to say about a name that is no zone, or None where it is one (or no text at all)."""
    if name is None or not isinstance(name, str):
        return None
    try:
        load_zone(name)
    except ScheduleError as error:
        return error.message, _nearest_zone(name)
    return None


@cache
def _zones() -> list[str]:
    # Imported when met: listing the zones reads the whole database.
    from zoneinfo import available_timezones  # noqa: PLC0415

    return sorted(available_timezones() - _REFUSED)


def _nearest_zone(name: str) -> str:
    # Imported when met: only a file with a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    zones = _zones()
    wanted = name.strip().lower().replace(" ", "_")
    same = [zone for zone in zones if zone.lower() == wanted]
    area, _, city = wanted.rpartition("/")
    cities = {zone: zone.rpartition("/")[2].lower() for zone in zones if zone.partition("/")[0] in _AREAS}
    if area:
        cities = {zone: its for zone, its in cities.items() if zone.lower().startswith(f"{area}/")}
    close = (
        get_close_matches(city, cities.values(), n=1, cutoff=_ALIKE if area else 1.0)
        if city.replace("_", "").isalpha()
        else []
    )
    found = same or [zone for zone, its in cities.items() if its in close]
    if len(found) == 1:
        return f"did you mean `{found[0]}`?"
    if any(letter.isdigit() for letter in name):
        return "an offset is not a time zone: use the IANA name of a place, such as Europe/Berlin"
    return "use the IANA name of a place, such as Europe/Berlin"
