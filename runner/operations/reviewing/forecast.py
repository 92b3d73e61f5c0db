"""When a task runs from now on, and what a clock change does to it. The code of the tick decides. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from runner import planning
from runner.model.change import AtOnce, Forecast
from runner.model.state import START, Decision
from runner.model.stored import StoredTask
from runner.model.task import ScheduleSpec
from runner.schedule.localtime import load_zone, next_change, offset_at, wall_time
from runner.value import replace

#: How far ahead clock changes are looked for.
_CHANGES_AHEAD = timedelta(days=60)

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
#: Starts of at least daily schedules are counted over a week, which has all weekdays; others over a year.
_WEEK, _YEAR = timedelta(days=7), timedelta(days=364)
_MINUTES = {"minutes": 1, "hours": 60}
#: A schedule with more slots than this in the two days around a clock change has no fixed times that people would
#: miss.
_MOST_FIXED = 12


def starts(task: StoredTask, running: tuple[int, ...], now: datetime) -> Iterator[datetime]:
    """Yield when a task starts from now on: first what the next tick starts, then each later slot.

    Concurrency policies and free concurrency slots are not considered for later slots.
    """
    if task.spec is None or not task.active or task.blob is None:
        return
    for decision in due_now(task, running, now):
        yield decision.due_at or decision.slot
    task_decision = planning.decide(task.spec, task.policy, task.offset, task.state, running, now)
    state = task.state if task_decision is None else task_decision.state
    schedule, slot = task.spec.schedule(state.anchor), state.next_slot
    while slot is not None:
        yield slot + task.offset
        slot = schedule.after(slot)


def due_now(task: StoredTask, running: tuple[int, ...], now: datetime) -> tuple[Decision, ...]:
    """Return the decisions to start a run of the task that a tick at `now` would make."""
    if task.spec is None or not task.active or task.blob is None:
        return ()
    task_decision = planning.decide(task.spec, task.policy, task.offset, task.state, running, now)
    return (
        ()
        if task_decision is None
        else tuple(decision for decision in task_decision.decisions if decision.action == START)
    )


def counts_from_state(task: StoredTask) -> bool:
    """Return whether the slots of a task count from when it was first seen or last ran, and not from the calendar."""
    return task.spec is not None and task.spec.frequency is not None and task.spec.start is None


def forecast(
    task: StoredTask, running: tuple[int, ...], now: datetime, count: int, *, is_known: bool
) -> Forecast | None:
    """Return the next `count` starts of a task and how often it runs; None where it never had a valid file."""
    if task.spec is None or task.blob is None:
        return None
    first_starts = tuple(islice(starts(task, running, now), count)) if is_known else None
    return Forecast(task.spec.timezone, task.spec.in_words(), first_starts, _runs_a_day(task, now))


def at_once(task: StoredTask, running: tuple[int, ...], now: datetime, *, is_new: bool, is_known: bool) -> AtOnce:
    """Return whether the next tick starts a task, and why."""
    if task.spec is None or task.blob is None:
        return AtOnce(answer=False, why="it does not run")
    if not task.active:
        return AtOnce(answer=False, why="it is inactive")
    if not is_known:
        return AtOnce(None, "its slots count from when it was first seen or last ran, which is not known here")
    decisions = due_now(task, running, now)
    if decisions and is_new and counts_from_state(task):
        return AtOnce(
            answer=True, why="it is new and has no `start`: its first slot is the minute in which it is first seen"
        )
    if decisions:
        return AtOnce(answer=True, why=decisions[-1].reason)
    first = next(starts(task, running, now), None)
    return AtOnce(answer=False, why="its schedule has no slot left" if first is None else "its first slot is later")


def _runs_a_day(task: StoredTask, now: datetime) -> float:
    spec = task.spec
    if spec is None or not task.active:
        return 0.0
    if spec.frequency is not None and spec.unit in _MINUTES:
        return 1440 / (spec.frequency * _MINUTES[spec.unit])
    schedule = spec.schedule(task.state.anchor or now)
    a_week = schedule.count(now, now + _WEEK, planning.MOST_MISSED)
    if a_week >= _WEEK // _DAY:
        return a_week / (_WEEK / _DAY)
    return schedule.count(now, now + _YEAR, planning.MOST_MISSED) / (_YEAR / _DAY)


def clock_changes(task: StoredTask, now: datetime) -> tuple[str, ...]:
    """Return sentences about what the next clock change of its zone, within 60 days, does to a task."""
    if task.spec is None or not task.active or task.blob is None:
        return ()
    zone = load_zone(task.spec.timezone)
    change = next_change(now, now + _CHANGES_AHEAD, zone)
    if change is None:
        return ()
    if task.spec.unit in _MINUTES:
        return _elapsed(task.spec, change)
    return _skipped_times(task.spec, task.state.anchor or now, change)


def _elapsed(spec: ScheduleSpec, change: datetime) -> tuple[str, ...]:
    """Return a sentence where a clock change moves the wall times at which a task runs by elapsed time."""
    zone = load_zone(spec.timezone)
    step = timedelta(minutes=(spec.frequency or 1) * _MINUTES[str(spec.unit)])
    moved = offset_at(change, zone) - offset_at(change - timedelta(seconds=1), zone)
    if abs(moved) % step == timedelta(0):
        return ()
    direction = "later" if moved > timedelta(0) else "earlier"
    day = f"{change.astimezone(zone):%Y-%m-%d}"
    return (
        f"it runs by elapsed time: from {day} on it starts {_duration(abs(moved))} {direction} by the clock of {spec.timezone}",
    )


def _skipped_times(spec: ScheduleSpec, anchor: datetime, change: datetime) -> tuple[str, ...]:
    """Return a sentence for each start at a wall time that the clock change skips, with the start that replaces it.

    The same schedule in UTC gives the wall times that there would be without the change.
    """
    zone = load_zone(spec.timezone)
    low, high = change - _DAY, change + _DAY
    slots = _slots(spec, anchor, low, high)
    without = replace(spec, timezone="UTC")
    wall_low, wall_high = wall_time(low, zone).replace(tzinfo=UTC), wall_time(high, zone).replace(tzinfo=UTC)
    unchanged = _slots(without, wall_time(anchor, zone).replace(tzinfo=UTC), wall_low, wall_high)
    if max(len(slots), len(unchanged)) > _MOST_FIXED:
        return ()
    walls = [wall_time(slot, zone) for slot in slots]
    skipped = [slot.replace(tzinfo=None) for slot in unchanged if slot.replace(tzinfo=None) not in walls]
    replacements = [wall for wall in walls if wall.replace(tzinfo=UTC) not in unchanged]
    return tuple(
        f"{old:%H:%M} does not exist on {old:%Y-%m-%d}: it starts at {new:%H:%M}"
        for old, new in zip(skipped, replacements, strict=False)
    )


def _slots(spec: ScheduleSpec, anchor: datetime, low: datetime, high: datetime) -> list[datetime]:
    schedule = spec.schedule(anchor)
    found: list[datetime] = []
    slot = schedule.after(low - _MICROSECOND)
    while slot is not None and slot <= high and len(found) <= _MOST_FIXED:
        found.append(slot)
        slot = schedule.after(slot)
    return found


def _duration(moved: timedelta) -> str:
    minutes = moved // timedelta(minutes=1)
    hours, rest = divmod(minutes, 60)
    if rest:
        return f"{minutes} minutes"
    return "an hour" if hours == 1 else f"{hours} hours"
