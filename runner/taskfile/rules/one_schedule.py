"""The rule that a task has exactly one schedule: frequency + unit, or cron, or rrule."""

from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_HINT = "give frequency + unit, or cron, or rrule"


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding where there is no schedule, an incomplete one, or more than one."""
    other = next((kind for kind in ("cron", "rrule") if draft.has(kind)), None)
    instead = None if other is None else f"keep one schedule: remove this key, or `{other}`"
    kinds = [kind for kind in ("frequency", "cron", "rrule") if draft.has(kind)]
    if draft.has("unit") and not draft.has("frequency"):
        hint = instead or "add for example `frequency: 1`"
        yield draft.finding("unit", "schedule", "`unit` without `frequency`", hint, at_key=True)
    elif not kinds:
        yield draft.document.finding((), "schedule", "the task has no schedule", _HINT)
    if draft.has("frequency") and not draft.has("unit"):
        hint = instead or "add for example `unit: days`"
        yield draft.finding("frequency", "schedule", "`frequency` without `unit`", hint, at_key=True)
    for extra in kinds[1:]:
        yield draft.finding(extra, "schedule", f"`{extra}` beside `{kinds[0]}`", "keep one schedule", at_key=True)
