"""A plan as JSON."""

from __future__ import annotations

import json
from typing import Any

from runner.clock import iso
from runner.model.change import Difference, Forecast, Plan, Rehearsal, Side, TaskChange
from runner.report.as_json import problem


def plan(value: Plan) -> dict[str, Any]:
    """Return a plan. `knows_state` is false where there was no store to read past runs from."""
    return {
        "base": _side(value.base),
        "head": _side(value.head),
        "at": iso(value.now),
        "knows_state": value.knows_state,
        "remarks": list(value.remarks),
        "tasks": [_change(change) for change in value.tasks],
        "settings": [_difference(it) for it in value.settings],
        "problems": [problem(it) for it in value.problems],
    }


def _side(value: Side) -> dict[str, Any]:
    return {"name": value.name, "commit": value.commit}


def _change(value: TaskChange) -> dict[str, Any]:
    return {
        "task": value.id,
        "old_task": value.old_id,
        "kinds": list(value.kinds),
        "fields": [_difference(it) for it in value.fields],
        "code": list(value.code),
        "capabilities": {it.kind: {"gained": list(it.gained), "lost": list(it.lost)} for it in value.capabilities},
        "before": _forecast(value.before),
        "after": _forecast(value.after),
        "starts_at_once": value.at_once.answer,
        "why": value.at_once.why,
        "notes": list(value.notes),
        "rehearsal": _rehearsal(value.rehearsal),
    }


def _rehearsal(value: Rehearsal | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "status": value.status,
        "reason": value.reason or None,
        "output": value.output,
        "needs": value.needs or None,
        "is_granted": value.is_granted if value.needs else None,
        "changes": json.loads(value.changes) if value.changes else None,
    }


def _difference(value: Difference) -> dict[str, Any]:
    return {"name": value.name, "before": value.before or None, "after": value.after or None}


def _forecast(value: Forecast | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {
        "timezone": value.timezone,
        "schedule": value.schedule,
        "starts": None if value.starts is None else [iso(at) for at in value.starts],
        "runs_a_day": value.a_day,
    }
