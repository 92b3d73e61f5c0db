"""The rule that `start` and `end` are wall times, and that `start` is before `end`."""

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
    errors = [error for error in (_error_in(start, None), _error_in(None, end)) if error is not None]
    order = None if errors else _error_in(start, end)
    for error in errors if order is None else [order]:
        yield draft.schedule_finding(error)


# Cached, because thousands of tasks share a few bounds.
@lru_cache(maxsize=1024)
def _error_in(start: str | None, end: str | None) -> ScheduleError | None:
    """Return what is wrong with these bounds, or None."""
    try:
        parse_schedule({"frequency": 1, "unit": "days", "anchor": _ANCHOR, "start": start, "end": end})
    except ScheduleError as error:
        return error
    return None
