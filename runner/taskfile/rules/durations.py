"""Durations are more than nothing and less than a lifetime."""

from collections.abc import Iterator

from runner.schedule.duration import parse_duration
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a timeout of nothing and for durations beyond a hundred years."""
    for key in ("timeout", "kill_grace"):
        value = draft.get(key)
        if value is None:
            continue
        try:
            duration = parse_duration(value)
        except ValueError:
            yield draft.finding(key, "duration", f"`{key}` {value} is longer than a hundred years")
            continue
        if key == "timeout" and not duration:
            yield draft.finding(
                key, "duration", "a timeout of 0s would end every run at once", "leave it out, or write 1h"
            )
