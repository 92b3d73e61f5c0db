"""The valid tasks of one commit, and its problems."""

from dataclasses import dataclass

from runner.model.problem import Problem
from runner.model.task import Task


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """What became of one file: a task where it is valid, and its problems. `path` is relative to the root."""

    path: str
    task: Task | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tasks by id, and every problem, sorted."""

    tasks: tuple[Task, ...]
    problems: tuple[Problem, ...]

    def has_errors(self) -> bool:
        """Return whether a file of the catalog cannot be used as it is."""
        return any(problem.is_error() for problem in self.problems)
