"""The state of a task between ticks, and the decisions about its slots."""

from __future__ import annotations

from datetime import datetime

from runner.value import Value

START = "start"
SKIP = "skip"


class TaskState(Value):
    """What ticks remember of the schedule of a task.

    - `anchor`: the minute in which the task was first seen active, or the slot at which a changed interval was
      anchored again. A change of the clock never moves it.
    - `watermark`: the instant up to which slots have been decided. `wall` is the wall time of that instant, by the
      rules that the zone had at that time.
    - `resumed_at`: where the clock was set back to before the watermark, the instant up to which slots have been
      decided since then; else None.
    - `last_run_slot`: the last slot for which a run was started.
    - `next_slot`: the next slot, by the rules of the zone when it was computed; None where no slot is left. It is
      checked before it is decided, because the rules may have changed.
    """

    anchor: datetime | None = None
    watermark: datetime | None = None
    wall: datetime | None = None
    resumed_at: datetime | None = None
    last_run_slot: datetime | None = None
    next_slot: datetime | None = None


class Decision(Value):
    """What is done about a slot, and why.

    `missed` is the number of older slots that the decision covers, `blocked_by` the run that prevents a start. A run
    may start from `due_at` on, when the runs in `replaces` have ended.
    """

    action: str
    slot: datetime
    trigger: str
    reason: str
    missed: int = 0
    blocked_by: int | None = None
    due_at: datetime | None = None
    replaces: tuple[int, ...] = ()


class TaskDecision(Value):
    """The decisions about the due slots of a task, the oldest first, and the state of the task after them."""

    decisions: tuple[Decision, ...]
    state: TaskState
