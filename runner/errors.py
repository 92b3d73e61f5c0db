"""Errors that end a command. Each has a message that says what happened, and a hint that says what to do."""


class RunnerError(Exception):
    """An error that a person can act on, shown as `error: …` and `hint: …`. The command exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RunnerError):
    """The arguments of the command are wrong."""

    exit_code = 2


class GitError(RunnerError):
    """A git command failed; `about` names the ref or the part of the repository at fault."""

    def __init__(self, message: str, hint: str | None = None, about: str = ".git") -> None:
        super().__init__(message, hint)
        self.about = about


class RepositoryError(GitError):
    """Git reads no repository here: git is not installed, there is no repository, or it belongs to another user."""


class StoreError(RunnerError):
    """The database could not be read or written."""


class StoreGoneError(StoreError):
    """The database that a tick uses was removed or replaced. It is no use to try again."""


class ScheduleError(ValueError):
    """A schedule is not valid; `field` names the key at fault, `hint` says what to write instead."""

    def __init__(self, field: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.hint = hint
