"""The schedule can be read, and it comes at least once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from runner.errors import ScheduleError
from runner.schedule import parse_schedule
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_NEVER = "never"
_MEND = "mend the rule or its bounds"
_KINDS = ("frequency", "cron", "rrule")
#: Before everything: a rule that has no slot after this has none at all.
_DAWN = datetime(1900, 1, 1, tzinfo=UTC)
_ANCHOR = datetime(2000, 1, 1, tzinfo=UTC)


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for every kind of schedule in the file that cannot be read, or that never comes."""
    for kind in _KINDS:
        value = draft.get(kind)
        if value is None:
            continue
        unit = (draft.get("unit") or "days") if kind == "frequency" else None
        zone = draft.get("timezone") or draft.settings.timezone
        error = _against(kind, value, unit, zone, draft.get("start"), draft.get("end"))
        if error is not None:
            yield (
                draft.schedule_finding(error)
                if error.field != _NEVER
                else draft.finding(kind, _NEVER, error.message, _MEND)
            )


# Pure, and thousands of tasks share a few hundred schedules.
@lru_cache(maxsize=4096, typed=True)
def _against(
    kind: str, value: object, unit: str | None, zone: str, start: str | None, end: str | None
) -> ScheduleError | None:
    """Return what is wrong with a schedule, or None; mistakes in zone and bounds are left to their own rules."""
    rule = {kind: value, "unit": unit, "anchor": _ANCHOR}
    try:
        parse_schedule(rule)
    except ScheduleError as error:
        return error
    try:
        schedule = parse_schedule(rule | {"timezone": zone, "start": start, "end": end})
    except ScheduleError as error:
        return error if error.field == kind else None
    if schedule.after(_DAWN) is not None:
        return None
    between = " between `start` and `end`" if start or end else ""
    return ScheduleError(_NEVER, f"this schedule never comes{between}")
