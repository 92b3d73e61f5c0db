"""What is remembered of a task between ticks, and what is decided about a slot."""

from __future__ import annotations

from datetime import datetime

from runner.value import Value

START = "start"
SKIP = "skip"


class TaskState(Value):
    """Where a task stands in time.

    `anchor` is the minute in which it was first seen active (or the slot at which a changed interval was anchored
    again): a fact, which no clock moves. `watermark` is up to when its slots have been decided, and `wall` what the
    task's wall clock showed then, by the rules that its zone had then. `resumed_at` is up to when slots have been
    decided since a clock was set back to before the watermark, None where none was. `last_run_slot` is the last slot
    for which a run was started; `next_slot` the next slot by the rules of when it was computed, None where none is
    owed: a hint, which is checked before it is decided.
    """

    anchor: datetime | None = None
    watermark: datetime | None = None
    wall: datetime | None = None
    resumed_at: datetime | None = None
    last_run_slot: datetime | None = None
    next_slot: datetime | None = None


class Decision(Value):
    """What is to be done about a slot, and why.

    `missed` counts older slots that this one stands for, `blocked_by` is the run in its way. A slot that is started
    may be so from `due_at` on; `replaces` are the runs that end before it.
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
    """What is decided about a task's due slots, the oldest first, and where it stands then."""

    decisions: tuple[Decision, ...]
    state: TaskState
