"""The values of a plan: for each task what a change changes, and when the task runs before and after it."""

from __future__ import annotations

from datetime import datetime

from runner.model.problem import Problem
from runner.value import Value

ADDED, REMOVED, RENAMED = "added", "removed", "renamed"
CHANGED, ACTIVATED, DEACTIVATED = "changed", "activated", "deactivated"
BROKEN, REPAIRED = "broken", "repaired"
#: The status of a rehearsal that there was not.
NOT_REHEARSED = "not rehearsed"


class Difference(Value):
    """One field of a task before and after, as written in a file; empty text where the task does not have it."""

    name: str
    before: str
    after: str


class Capability(Value):
    """What the code may use: added and removed names; `kind` is secrets, env, imports or limits."""

    kind: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Forecast(Value):
    """When a task runs, as far as it can be computed.

    `starts` are the next starts, in the zone `timezone`; None where they depend on when the task was first seen or
    last ran, and that is not known. `a_day` is the number of runs a day, the mean over weeks or a year.
    """

    timezone: str
    schedule: str
    starts: tuple[datetime, ...] | None
    a_day: float


class AtOnce(Value):
    """Whether the first tick after the change starts the task; `answer` is None where that is not known."""

    answer: bool | None
    why: str


class Rehearsal(Value):
    """What a task did that was rehearsed for a plan.

    `status` is that of a run, or NOT_REHEARSED; `reason` says why it did not succeed. `needs` is the line that
    grants what it was denied, `is_granted` whether its file has that line. `changes` is what was rolled back, as JSON.
    """

    status: str
    reason: str = ""
    output: str = ""
    needs: str = ""
    is_granted: bool = False
    changes: str = ""


class TaskChange(Value):
    """The change of one task. `old_id` is its id before. `before` or `after` is None where there is no such task.

    `notes` are effects that the file does not show: nights on which the clock changes, minutes in which many tasks
    start.
    """

    id: str
    old_id: str | None
    kinds: tuple[str, ...]
    fields: tuple[Difference, ...]
    code: tuple[str, ...]
    capabilities: tuple[Capability, ...]
    before: Forecast | None
    after: Forecast | None
    at_once: AtOnce
    notes: tuple[str, ...] = ()
    rehearsal: Rehearsal | None = None


class Side(Value):
    """One side of a plan: the name that was given for it, and its commit; None for the work tree."""

    name: str
    commit: str | None


class Plan(Value):
    """What a change does. `knows_state` says whether a store with past runs was read.

    `settings` are the differences of `runner.yaml` except those in the defaults of tasks. `problems` are those that
    the change adds.
    """

    base: Side
    head: Side
    now: datetime
    knows_state: bool
    tasks: tuple[TaskChange, ...]
    settings: tuple[Difference, ...]
    problems: tuple[Problem, ...]
    remarks: tuple[str, ...] = ()

    def has_changes(self) -> bool:
        """Return whether the change has an effect."""
        return bool(self.tasks or self.settings)

    def has_errors(self) -> bool:
        """Return whether the change adds a file that is not valid."""
        return any(problem.is_error() for problem in self.problems)
