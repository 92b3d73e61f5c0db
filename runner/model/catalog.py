"""The entries of a catalog: the files of one commit, each compiled to a task or to problems."""

from __future__ import annotations

from runner.model.problem import Problem
from runner.model.task import Task
from runner.value import Value


class CompiledFile(Value):
    """A compiled file: its task where the file is valid, and its problems. `path` is relative to the root."""

    path: str
    task: Task | None
    problems: tuple[Problem, ...] = ()
