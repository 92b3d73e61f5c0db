"""What a change of the task files means, as values: for each task what differs, and when it runs before and after."""

from __future__ import annotations

from datetime import datetime

from runner.model.problem import Problem
from runner.value import Value

ADDED, REMOVED, RENAMED = "added", "removed", "renamed"
CHANGED, ACTIVATED, DEACTIVATED = "changed", "activated", "deactivated"
BROKEN, REPAIRED = "broken", "repaired"


class Difference(Value):
    """One field of a task, as a file would write it; an empty text where there is none."""

    name: str
    before: str
    after: str


class Capability(Value):
    """What the code may touch: names that come and names that go; `kind` is secrets, env, imports or limits."""

    kind: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


class Forecast(Value):
    """When a task runs, as far as that can be told here.

    `fires` are the next starts, in the zone `timezone`; None where they hang on when the task was first seen or last
    ran, and that is not known. `a_day` is how often it runs a day, over weeks or a year.
    """

    timezone: str
    schedule: str
    fires: tuple[datetime, ...] | None
    a_day: float


class AtOnce(Value):
    """Whether the first tick after the change starts the task; `answer` is None where that cannot be told."""

    answer: bool | None
    why: str


class TaskChange(Value):
    """What becomes of one task. `old_id` is what it was called before; an outlook is None where there is no such task.

    `notes` say what a reader would not see: nights on which the clock moves, minutes in which many tasks start.
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


class Side(Value):
    """One side of a plan: what it was called by, and the commit; None for the work tree."""

    name: str
    commit: str | None


class Plan(Value):
    """What a change means. `knows_state` says whether there was a store to ask about past runs.

    `settings` are the differences of `runner.yaml` that are no defaults of tasks; `problems` those that the change
    brings.
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
        """Return whether anything would be different."""
        return bool(self.tasks or self.settings)

    def has_errors(self) -> bool:
        """Return whether the change brings a file that cannot be used as it is."""
        return any(problem.is_error() for problem in self.problems)
