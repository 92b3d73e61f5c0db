"""From rows to values and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from runner.clock import from_millis, to_millis
from runner.model.state import TaskState
from runner.model.task import ScheduleSpec, Task
from runner.schedule.localtime import load_zone

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Any

    Row = tuple[Any, ...]

_MILLISECOND = timedelta(milliseconds=1)

#: The columns of `versions` that make a task, in the order of `task_of`.
TASK_COLUMNS = """
    v.timezone, v.frequency, v.unit, v.cron, v.rrule, v."start", v."end",
    v.active, v.timeout, v.kill_grace, v.code, v.code_line, v.description, v.owner, v.tags
"""
#: The columns of `tasks` that make a state, in the order of `state_of`.
STATE_COLUMNS = "t.anchor, t.watermark, t.last_run_slot, t.next_due"


def instant(millis: int | None) -> datetime | None:
    """Return the instant of a column."""
    return None if millis is None else from_millis(millis)


def millis(moment: datetime | None) -> int | None:
    """Return the column of an instant."""
    return None if moment is None else to_millis(moment)


def spec_of(row: Row) -> ScheduleSpec:
    """Return the schedule in the first seven of TASK_COLUMNS."""
    return _spec(*row[:7])


# Thousands of tasks share a few hundred schedules, and one value serves them all.
@lru_cache(maxsize=4096)
def _spec(*columns: Any) -> ScheduleSpec:
    return ScheduleSpec(*columns)


def task_of(task_id: str, row: Row) -> Task:
    """Return the task in TASK_COLUMNS."""
    active, timeout, kill_grace, code, code_line, description, owner, tags = row[7:15]
    return Task(
        id=task_id,
        schedule=spec_of(row),
        active=bool(active),
        code=code,
        code_line=code_line,
        timeout=timeout * _MILLISECOND,
        kill_grace=kill_grace * _MILLISECOND,
        description=description,
        owner=owner,
        tags=tuple(tags.split()),
    )


def version_row(task: Task) -> Row:
    """Return TASK_COLUMNS of a task."""
    spec = task.schedule
    return (
        *(spec.timezone, spec.frequency, spec.unit, spec.cron, spec.rrule, spec.start, spec.end),
        *(
            int(task.active),
            task.timeout // _MILLISECOND,
            task.kill_grace // _MILLISECOND,
            task.code,
            task.code_line,
        ),
        *(task.description, task.owner, " ".join(task.tags)),
    )


def state_of(row: Row) -> TaskState:
    """Return the state in STATE_COLUMNS."""
    return TaskState(*(instant(column) for column in row[:4]))


def state_row(state: TaskState, spec: ScheduleSpec) -> Row:
    """Return STATE_COLUMNS of a state, and `next_local` after them."""
    columns = (state.anchor, state.watermark, state.last_run_slot, state.next_due)
    return (
        *(millis(moment) for moment in columns),
        None if state.next_due is None else local_text(state.next_due, spec),
    )


def local_text(moment: datetime, spec: ScheduleSpec) -> str:
    """Return an instant on the wall clock of a schedule, `2026-03-29 03:30 CEST`."""
    return _local_text(moment, spec.timezone)


@lru_cache(maxsize=4096)
def _local_text(moment: datetime, zone: str) -> str:
    return moment.astimezone(load_zone(zone)).strftime("%Y-%m-%d %H:%M %Z")
