"""The rule that a schedule can be parsed and has at least one slot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from runner.errors import ScheduleError
from runner.schedule import parse_schedule
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_NEVER = "never"
_HINT = "change the rule or its bounds"
_KINDS = ("frequency", "cron", "rrule")
#: Earlier than any slot: a rule without a slot after this instant has no slot.
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for each schedule in the file that cannot be parsed, or that has no slot."""
    for kind in _KINDS:
        value = draft.get(kind)
        if value is None:
            continue
        unit = (draft.get("unit") or "days") if kind == "frequency" else None
        zone = draft.get("timezone") or draft.settings.timezone
        error = _error_in(kind, value, unit, zone, draft.get("start"), draft.get("end"))
        if error is not None:
            yield (
                draft.schedule_finding(error)
                if error.field != _NEVER
                else draft.finding(kind, _NEVER, error.message, _HINT)
            )


# Cached, because thousands of tasks share a few hundred schedules.
@lru_cache(maxsize=4096, typed=True)
def _error_in(
    kind: str, value: object, unit: str | None, zone: str, start: str | None, end: str | None
) -> ScheduleError | None:
    """Return what is wrong with a schedule, or None. Errors in its zone and bounds are left to other rules."""
    rule = {kind: value, "unit": unit, "anchor": _ANCHOR}
    try:
        parse_schedule(rule)
    except ScheduleError as error:
        return error
    try:
        schedule = parse_schedule(rule | {"timezone": zone, "start": start, "end": end})
    except ScheduleError as error:
        return error if error.field == kind else None
    if schedule.after(_EARLIEST) is not None:
        return None
    between = " between `start` and `end`" if start or end else ""
    return ScheduleError(_NEVER, f"this schedule has no slot{between}")
