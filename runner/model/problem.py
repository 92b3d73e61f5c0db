"""A problem of a task file, of the settings or of the repository."""

from __future__ import annotations

from runner.value import Value

ERROR = "error"
WARNING = "warning"
#: The code of a problem with the signature of a change, and not with the content of a file.
REFUSED = "unsigned"
#: The code of a problem of the repository itself: a damaged ref, a missing object.
UNREADABLE = "git"


class Problem(Value):
    """What is wrong, where, and what to do.

    Lines and columns count from 1; problems sort by file, line, column, code.
    """

    file: str
    line: int
    column: int
    code: str
    severity: str
    message: str
    hint: str = ""

    def order(self) -> tuple[str, int, int, str, str]:
        """Return the key by which problems are sorted."""
        return (self.file, self.line, self.column, self.code, self.message)

    def is_error(self) -> bool:
        """Return whether the problem makes the file invalid."""
        return self.severity == ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"


class Validation(Value):
    """The number of task files that were checked, and their problems, sorted."""

    tasks: int
    problems: tuple[Problem, ...]

    def has_errors(self) -> bool:
        """Return whether a file is invalid."""
        return any(problem.is_error() for problem in self.problems)
