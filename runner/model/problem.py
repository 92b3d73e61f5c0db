"""One thing to mend in a file."""

from __future__ import annotations

from runner.value import Value

ERROR = "error"
WARNING = "warning"
#: The code of a problem that is not in a file but in who changed it.
REFUSED = "unsigned"
#: The code of a problem that is in the repository itself: a ref that is damaged, an object that is missing.
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
        """Return what problems are sorted by."""
        return (self.file, self.line, self.column, self.code, self.message)

    def is_error(self) -> bool:
        """Return whether the file cannot be used as it is."""
        return self.severity == ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code}]"


class Validation(Value):
    """How many task files were checked, and what is wrong with them, sorted."""

    tasks: int
    problems: tuple[Problem, ...]

    def has_errors(self) -> bool:
        """Return whether a file cannot be used as it is."""
        return any(problem.is_error() for problem in self.problems)
