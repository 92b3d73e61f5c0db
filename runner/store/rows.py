"""Convert rows of the database to values, and values to columns."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import lru_cache

from runner.clock import from_millis, to_millis
from runner.model.context import Context, ContextUse, pack_context, unpack_context
from runner.model.definition import declared_by, definition_of
from runner.model.state import TaskState
from runner.model.statuses import WORKTREE
from runner.model.task import Policy, ScheduleSpec, Task
from runner.planning import due_at
from runner.schedule.localtime import load_zone
from runner.value import as_dict

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from typing import Any

    from runner.store.session import Row

_MILLISECOND = timedelta(milliseconds=1)

#: The columns of `versions` that `spec_of` and `policy_of` read, in this order, and `active`.
SPEC_COLUMNS = """
    v.timezone, v.frequency, v.unit, v.cron, v.rrule, v."start", v."end",
    v.concurrency_policy, v.catchup, v.starting_deadline, v.jitter, v.active
"""
#: The columns of `versions` that `task_of` reads, in this order.
TASK_COLUMNS = f"{SPEC_COLUMNS}, v.definition, v.context"
_ACTIVE, _DEFINITION, _CONTEXT = 11, 12, 13  # their indexes in TASK_COLUMNS
#: The columns of `tasks` that `state_of` reads, in this order.
STATE_COLUMNS = "t.anchor, t.watermark, t.watermark_wall, t.resumed_at, t.last_run_slot, t.next_slot"
#: The number of STATE_COLUMNS.
STATE = 6


def is_of_commit(alias: str) -> str:
    """Return the SQL condition that a row of `runs`, by its alias in the query, is not a trial of the work tree."""
    return f"coalesce({alias}.commit_id, '') <> '{WORKTREE}'"


def instant(millis: int | None) -> datetime | None:
    """Return the instant of a column in milliseconds since 1970; None for NULL."""
    return None if millis is None else from_millis(millis)


def millis(moment: datetime | None) -> int | None:
    """Return the column of an instant, in milliseconds since 1970; NULL for None."""
    return None if moment is None else to_millis(moment)


def span(millis: int | None) -> timedelta | None:
    """Return the duration of a column in milliseconds; None for NULL."""
    return None if millis is None else millis * _MILLISECOND


def spec_of(row: Row) -> ScheduleSpec:
    """Return the schedule of a row that begins with SPEC_COLUMNS."""
    return _spec(*row[:7])


def policy_of(row: Row) -> Policy:
    """Return the policy of a row that begins with SPEC_COLUMNS."""
    return _policy(*row[7:11])


# Thousands of tasks share a few hundred schedules: the cache makes the value of each one once.
@lru_cache(maxsize=4096)
def _spec(*columns: Any) -> ScheduleSpec:
    return ScheduleSpec(*columns)


@lru_cache(maxsize=1024)
def _policy(concurrency_policy: str, catchup: str, starting_deadline: int | None, jitter: int) -> Policy:
    return Policy(concurrency_policy, catchup, span(starting_deadline), jitter * _MILLISECOND)


def task_of(task_id: str, row: Row) -> Task:
    """Return the task of a row of TASK_COLUMNS, with its code."""
    return Task(
        id=task_id,
        schedule=spec_of(row),
        active=bool(row[_ACTIVE]),
        policy=policy_of(row),
        context=row[_CONTEXT],
        **declared_by(json.loads(row[_DEFINITION])),
    )


def version_row(task: Task) -> dict[str, object]:
    """Return the columns of `versions` for a task, without the blobs and the id."""
    spec, policy = task.schedule, task.policy
    return {
        **as_dict(spec),
        "active": int(task.active),
        "concurrency_policy": policy.concurrency_policy,
        "catchup": policy.catchup,
        "starting_deadline": _whole_millis(policy.starting_deadline),
        "jitter": _whole_millis(policy.jitter),
        "definition": json.dumps(definition_of(task), ensure_ascii=False),
        "context": task.context,
    }


def _whole_millis(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // _MILLISECOND


def contexts_of(text: str) -> tuple[Context, ...]:
    """Return the contexts of a column with a JSON list; none of an empty text."""
    return tuple(map(unpack_context, json.loads(text))) if text else ()


def contexts_row(contexts: tuple[Context, ...]) -> str:
    """Return the column for contexts."""
    return json.dumps([pack_context(context) for context in contexts], ensure_ascii=False) if contexts else ""


def context_row(use: ContextUse | None) -> str | None:
    """Return the column for the context of an attempt; NULL where it has none."""
    return None if use is None else json.dumps(as_dict(use), ensure_ascii=False)


def state_of(row: Row) -> TaskState:
    """Return the state of a row that begins with STATE_COLUMNS."""
    anchor, watermark, wall, resumed_at, last_run_slot, next_slot = row[:STATE]
    return TaskState(
        instant(anchor),
        instant(watermark),
        None if wall is None else datetime.fromisoformat(wall),
        instant(resumed_at),
        instant(last_run_slot),
        instant(next_slot),
    )


def state_row(state: TaskState, spec: ScheduleSpec, offset: timedelta) -> dict[str, object]:
    """Return the columns of `tasks` for a state. `offset` is how much later than its slots the task starts."""
    slot = state.next_slot
    return {
        "anchor": millis(state.anchor),
        "watermark": millis(state.watermark),
        "watermark_wall": None if state.wall is None else state.wall.isoformat(),
        "resumed_at": millis(state.resumed_at),
        "last_run_slot": millis(state.last_run_slot),
        "next_slot": millis(slot),
        "next_due": None if slot is None else to_millis(due_at(slot, offset)),
        "next_local": None if slot is None else local_text(slot + offset, spec),
    }


def local_text(moment: datetime, spec: ScheduleSpec) -> str:
    """Return an instant as a wall time in the zone of a schedule: `2026-03-29 03:30 CEST`."""
    return _local_text(moment, spec.timezone)


@lru_cache(maxsize=4096)
def _local_text(moment: datetime, zone: str) -> str:
    return moment.astimezone(load_zone(zone)).strftime("%Y-%m-%d %H:%M %Z")
