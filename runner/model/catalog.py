"""What a catalog is made of: the files of one commit, each compiled to a task or to problems. The store keeps it."""

from dataclasses import dataclass

from runner.model.problem import Problem
from runner.model.task import Task


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """What became of one file: a task where it is valid, and its problems. `path` is relative to the root."""

    path: str
    task: Task | None
    problems: tuple[Problem, ...] = ()
