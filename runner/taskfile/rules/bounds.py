"""`start` and `end` are wall times, in that order."""

from collections.abc import Iterator
from datetime import UTC, datetime

from runner.errors import ScheduleError
from runner.schedule import parse_schedule
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a bound that is not a wall time, and for an end before its start."""
    start, end = draft.get("start"), draft.get("end")
    if start is None and end is None:
        return
    broken = False
    for key, value in (("start", start), ("end", end)):
        for finding in _against(draft, {key: value}):
            broken = True
            yield finding
    if not broken and start is not None and end is not None:
        yield from _against(draft, {"start": start, "end": end})


def _against(draft: Draft, bounds: dict[str, object]) -> Iterator[Finding]:
    try:
        parse_schedule({"frequency": 1, "unit": "days", "anchor": _ANCHOR, **bounds})
    except ScheduleError as error:
        yield draft.schedule_finding(error)
