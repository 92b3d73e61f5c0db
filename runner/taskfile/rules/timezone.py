"""The rule that the time zone is in the IANA database."""

from collections.abc import Iterator
from functools import cache

from runner.errors import ScheduleError
from runner.schedule.localtime import load_zone
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

#: Only zones in these areas are suggested. Others are offsets, whose signs are the opposite of what people expect, or
#: abbreviations that mean more than one zone.
_AREAS = {"Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
_REFUSED = {"Factory", "localtime", "posixrules", "Australia/North", "Australia/South", "Australia/West"}
#: The least similarity (difflib) at which the name of a city counts as misspelt.
_ALIKE = 0.8


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for an unknown time zone, with a known zone of a similar name in the hint."""
    finding = unknown_zone(draft.get("timezone"))
    if finding is not None:
        message, hint = finding
        yield draft.finding("timezone", "timezone", message, hint)


def unknown_zone(name: object) -> tuple[str, str] | None:
    """Return a message and a hint about an unknown zone. Return None for a known zone, and for what is not text."""
    if name is None or not isinstance(name, str):
        return None
    try:
        load_zone(name)
    except ScheduleError as error:
        return error.message, _nearest_zone(name)
    return None


@cache
def _zones() -> list[str]:
    # Imported here, because listing the zones reads the whole database.
    from zoneinfo import available_timezones  # noqa: PLC0415

    return sorted(available_timezones() - _REFUSED)


def _nearest_zone(name: str) -> str:
    # Imported here, because only a file with a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    zones = _zones()
    given = name.strip().lower().replace(" ", "_")
    same = [zone for zone in zones if zone.lower() == given]
    area, _, city = given.rpartition("/")
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
