"""The time zone is one that the IANA database knows."""

from collections.abc import Iterator

from runner.errors import ScheduleError
from runner.schedule.localtime import load_zone
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding, nearest


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


def _nearest_zone(name: str) -> str:
    # Imported when met: listing the zones reads the whole database.
    from zoneinfo import available_timezones  # noqa: PLC0415

    zones = sorted(available_timezones())
    same = [zone for zone in zones if zone.lower() == name.lower()]
    cities = [zone for zone in zones if zone.rpartition("/")[2].lower() == name.lower().replace(" ", "_")]
    if same or cities:
        return f"did you mean `{(same or cities)[0]}`?"
    hint = nearest(name, zones)
    return hint if hint.startswith("did you") else "use an IANA name such as Europe/Berlin"
