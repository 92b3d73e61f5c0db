"""Durations are more than nothing and less than a lifetime."""

from collections.abc import Iterator

from runner.schedule.duration import parse_duration
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

KEYS = ("timeout", "kill_grace")


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a timeout of nothing and for durations beyond a hundred years."""
    for key in KEYS:
        said = against(key, draft.get(key))
        if said is not None:
            yield draft.finding(key, "duration", *said)


def against(key: str, value: object) -> tuple[str, str] | None:
    """Return what is to be said against a duration of the right form, or None."""
    if not isinstance(value, str):
        return None
    try:
        duration = parse_duration(value)
    except ValueError:
        return f"`{key}` {value} is longer than a hundred years", "write for example 1h"
    if key == "timeout" and not duration:
        return "a timeout of 0s would end every run at once", "leave it out, or write 1h"
    return None
