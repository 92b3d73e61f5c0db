"""One attempt to be made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.model.task import Task


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed run and the version of the task that it runs. `scheduled_for` is None for runs by hand."""

    run_id: int
    task: Task
    scheduled_for: datetime | None = None
    attempt: int = 1
