"""The sentences of a plan. Text and Markdown share them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.model.change import (
    ADDED,
    REMOVED,
    RENAMED,
    AtOnce,
    Capability,
    Difference,
    Forecast,
    Plan,
    Rehearsal,
    Side,
    TaskChange,
)
from runner.model.commit import SHORT
from runner.report.context_text import rehearsal_facts
from runner.schedule.localtime import load_zone

_SIGNS = {ADDED: "+", REMOVED: "-"}
_MANY = 10
_NEVER = "never"


def headline(plan: Plan) -> str:
    """Return how many tasks change, and how: `1 task added`, `3 tasks: 1 added, 2 changed`."""
    if not plan.tasks:
        return "no task changes"
    counts: dict[str, int] = {}
    for change in plan.tasks:
        for kind in change.kinds:
            counts[kind] = counts.get(kind, 0) + 1
    if len(plan.tasks) == 1:
        return f"1 task {' and '.join(counts)}"
    return f"{len(plan.tasks)} tasks: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"


def compared(plan: Plan) -> str:
    """Return what was compared: `from origin/main (1a2b3c4d5e6f) to the work tree`."""
    return f"from {_named(plan.base)} to {_named(plan.head)}"


def _named(side: Side) -> str:
    return side.name if side.commit is None else f"{side.name} ({side.commit[:SHORT]})"


def unknown(plan: Plan) -> str:
    """Return what the plan does not know because there is no store. Return empty text where there is a store."""
    if plan.knows_state:
        return ""
    return "No state is known here: the plan cannot say when tasks last ran, or whether slots are owed."


def sign(change: TaskChange) -> str:
    """Return `+` for a task that is added, `-` for one that is removed, `~` for any other."""
    return next((_SIGNS[kind] for kind in change.kinds if kind in _SIGNS), "~")


def title(change: TaskChange) -> str:
    """Return the task and how it changes: `billing/report: renamed from report, changed`."""
    kinds = [f"renamed from {change.old_id}" if kind == RENAMED else kind for kind in change.kinds]
    return f"{change.id}: {', '.join(kinds)}"


def shown_fields(change: TaskChange) -> Sequence[Difference]:
    """Return the fields that are shown: those that differ, or none where the task is removed."""
    return () if REMOVED in change.kinds else change.fields


def difference(value: Difference) -> str:
    """Return a field before and after the change: `15m → 5m`."""
    if not value.before:
        return value.after
    return f"{value.before} → {value.after or 'none'}"


def a_day(before: Forecast | None, after: Forecast | None) -> str:
    """Return how often the task runs a day, before and after: `96 → 288`."""
    new = _NEVER if after is None else _rate(after.a_day)
    old = new if before is None else _rate(before.a_day)
    return new if old == new else f"{old} → {new}"


def _rate(a_day: float) -> str:
    if not a_day:
        return _NEVER
    return f"{a_day:.0f}" if a_day >= _MANY or a_day == round(a_day) else f"{a_day:.2g}"


def answer(value: AtOnce) -> str:
    """Return whether the task starts at once, and why: `yes: due`."""
    words = {True: "yes", False: "no", None: "not known"}
    return f"{words[value.answer]}: {value.why}"


def next_starts(value: Forecast | None) -> Sequence[str]:
    """Return the next starts as wall times of the task, or one sentence where there are none or they are unknown."""
    if value is None:
        return ("-",)
    if value.starts is None:
        return (f"{value.schedule}; the first start is not known here",)
    return [moment(at, value.timezone) for at in value.starts] or (_NEVER,)


def in_one_line(before: Forecast | None, after: Forecast | None) -> str:
    """Return the next starts on one line. Return empty text where they differ, and have to be shown side by side."""
    old, new = next_starts(before), next_starts(after)
    if before is not None and after is not None:
        return f"next: {', '.join(new)}" if list(old) == list(new) else ""
    if before is not None:
        return f"next, without this change: {', '.join(old)}"
    return "" if after is None else f"next: {', '.join(new)}"


def moment(at: datetime, timezone: str) -> str:
    """Return an instant as a wall time, `Mon 2026-11-23 08:00 CET`. Seconds are shown where they are not zero."""
    wall = at.astimezone(load_zone(timezone))
    return f"{wall:%a %Y-%m-%d %H:%M:%S %Z}" if wall.second else f"{wall:%a %Y-%m-%d %H:%M %Z}"


def rehearsal(value: Rehearsal) -> str:
    """Return what a rehearsal has shown, but for its output."""
    if value.needs and value.is_granted:
        return f"stopped where it needs `{value.needs}`, which it has: a rehearsal has nothing"
    if value.needs:
        return f"needs `{value.needs}`, which it does not have"
    status = value.status.replace("_", " ")
    if value.reason.startswith(status):
        return value.reason
    return f"{status}: {value.reason}" if value.reason else status


def rolled_back(value: Rehearsal) -> list[str]:
    """Return the lines about what was rolled back after a rehearsal with a context."""
    facts = [*rehearsal_facts(value.changes)] if value.changes else []
    return [f"{name}: {text}" if name else text for name, text, _ in facts if name != "rollback"]


def capability(value: Capability) -> str:
    """Return the names that are added and removed: `imports: + smtplib, - os`."""
    names = [*(f"+ {name}" for name in value.gained), *(f"- {name}" for name in value.lost)]
    return f"{value.kind}: {', '.join(names)}"
