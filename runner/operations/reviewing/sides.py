"""The two sides of a plan, for its rehearsals."""

from __future__ import annotations

from runner.model.settings import Settings
from runner.model.task import Task
from runner.value import Value


class Candidate(Value):
    """A task as the head of a plan has it, with the blob of its file."""

    task: Task
    blob: str


class Sides(Value):
    """The settings on both sides of a plan, and the tasks of its head by id."""

    base: Settings
    head: Settings
    tasks: tuple[Candidate, ...]
