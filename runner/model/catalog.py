"""What a catalog is made of: the files of one commit, each compiled to a task or to problems. The store keeps it."""

from __future__ import annotations

from runner.model.problem import Problem
from runner.model.task import Task
from runner.value import Value


class CompiledFile(Value):
    """What became of one file: a task where it is valid, and its problems. `path` is relative to the root."""

    path: str
    task: Task | None
    problems: tuple[Problem, ...] = ()
