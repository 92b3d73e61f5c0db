"""From rows to values and back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from runner.clock import from_millis, to_millis
from runner.model.limits import Limits
from runner.model.retry import Retry
from runner.model.state import TaskState
from runner.model.task import Policy, ScheduleSpec, Task
from runner.planning import due_at
from runner.schedule.localtime import load_zone

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Any

    Row = tuple[Any, ...]

_MILLISECOND = timedelta(milliseconds=1)

#: The columns of `versions` that make a schedule and what is done about its slots, in the order of `spec_of` and `policy_of`.
SPEC_COLUMNS = """
    v.timezone, v.frequency, v.unit, v.cron, v.rrule, v."start", v."end",
    v.concurrency_policy, v.catchup, v.starting_deadline, v.jitter, v.active
"""
#: The columns of `versions` that make a task, in the order of `task_of`.
TASK_COLUMNS = f"""{SPEC_COLUMNS},
    v.timeout, v.kill_grace, v.retry_attempts, v.retry_delay, v.retry_backoff, v.retry_max_delay,
    v.memory, v.cpu, v.processes, v.open_files, v.file_size, v.env, v.secrets,
    v.code, v.code_line, v.description, v.owner, v.tags
"""
_SPEC = 12  # how many SPEC_COLUMNS are
#: The columns of `tasks` that make a state, in the order of `state_of`.
STATE_COLUMNS = "t.anchor, t.watermark, t.last_run_slot, t.next_slot"
_STATE = 4


def instant(millis: int | None) -> datetime | None:
    """Return the instant of a column."""
    return None if millis is None else from_millis(millis)


def millis(moment: datetime | None) -> int | None:
    """Return the column of an instant."""
    return None if moment is None else to_millis(moment)


def span(millis: int | None) -> timedelta | None:
    """Return the duration of a column."""
    return None if millis is None else millis * _MILLISECOND


def spec_of(row: Row) -> ScheduleSpec:
    """Return the schedule in SPEC_COLUMNS."""
    return _spec(*row[:7])


def policy_of(row: Row) -> Policy:
    """Return the policy in SPEC_COLUMNS."""
    return _policy(*row[7:11])


# Thousands of tasks share a few hundred schedules, and one value serves them all.
@lru_cache(maxsize=4096)
def _spec(*columns: Any) -> ScheduleSpec:
    return ScheduleSpec(*columns)


@lru_cache(maxsize=1024)
def _policy(concurrency_policy: str, catchup: str, starting_deadline: int | None, jitter: int) -> Policy:
    return Policy(concurrency_policy, catchup, span(starting_deadline), jitter * _MILLISECOND)


def task_of(task_id: str, row: Row) -> Task:
    """Return the task in TASK_COLUMNS."""
    timeout, kill_grace, attempts, delay, backoff, max_delay = row[_SPEC : _SPEC + 6]
    memory, cpu, processes, open_files, file_size, env, secrets = row[_SPEC + 6 : _SPEC + 13]
    code, code_line, description, owner, tags = row[_SPEC + 13 : _SPEC + 18]
    return Task(
        id=task_id,
        schedule=spec_of(row),
        active=bool(row[_SPEC - 1]),
        code=code,
        code_line=code_line,
        timeout=timeout * _MILLISECOND,
        kill_grace=kill_grace * _MILLISECOND,
        description=description,
        owner=owner,
        tags=tuple(tags.split()),
        policy=policy_of(row),
        retry=Retry(attempts, delay * _MILLISECOND, backoff, max_delay * _MILLISECOND),
        limits=Limits(memory, span(cpu), processes, open_files, file_size),
        env=tuple((name, value) for name, _, value in (pair.partition("=") for pair in env.split("\0") if pair)),
        secrets=tuple(secrets.split()),
    )


def version_row(task: Task) -> Row:
    """Return TASK_COLUMNS of a task."""
    spec, policy, retry, limits = task.schedule, task.policy, task.retry, task.limits
    return (
        *(spec.timezone, spec.frequency, spec.unit, spec.cron, spec.rrule, spec.start, spec.end),
        *(policy.concurrency_policy, policy.catchup, _whole(policy.starting_deadline), _whole(policy.jitter)),
        *(int(task.active), _whole(task.timeout), _whole(task.kill_grace)),
        *(retry.attempts, _whole(retry.delay), retry.backoff, _whole(retry.max_delay)),
        *(limits.memory, _whole(limits.cpu), limits.processes, limits.open_files, limits.file_size),
        *("\0".join(f"{name}={value}" for name, value in task.env), " ".join(task.secrets)),
        *(task.code, task.code_line, task.description, task.owner, " ".join(task.tags)),
    )


def _whole(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // _MILLISECOND


def state_of(row: Row) -> TaskState:
    """Return the state in STATE_COLUMNS."""
    return TaskState(*(instant(column) for column in row[:_STATE]))


def state_row(state: TaskState, spec: ScheduleSpec, offset: timedelta) -> Row:
    """Return STATE_COLUMNS of a state, and after them `next_due` and `next_local`."""
    columns = (state.anchor, state.watermark, state.last_run_slot, state.next_slot)
    if state.next_slot is None:
        return (*(millis(moment) for moment in columns), None, None)
    starts = state.next_slot + offset
    return (
        *(millis(moment) for moment in columns),
        to_millis(due_at(state.next_slot, offset)),
        local_text(starts, spec),
    )


def local_text(moment: datetime, spec: ScheduleSpec) -> str:
    """Return an instant on the wall clock of a schedule, `2026-03-29 03:30 CEST`."""
    return _local_text(moment, spec.timezone)


@lru_cache(maxsize=4096)
def _local_text(moment: datetime, zone: str) -> str:
    return moment.astimezone(load_zone(zone)).strftime("%Y-%m-%d %H:%M %Z")
