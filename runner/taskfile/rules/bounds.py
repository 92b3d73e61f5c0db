"""`start` and `end` are wall times, in that order."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

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
    each = [error for error in (_against(start, None), _against(None, end)) if error is not None]
    both = None if each else _against(start, end)
    for error in each if both is None else [both]:
        yield draft.schedule_finding(error)


# Pure, and thousands of tasks share a few bounds.
@lru_cache(maxsize=1024)
def _against(start: str | None, end: str | None) -> ScheduleError | None:
    try:
        parse_schedule({"frequency": 1, "unit": "days", "anchor": _ANCHOR, "start": start, "end": end})
    except ScheduleError as error:
        return error
    return None
