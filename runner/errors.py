"""Failures that end a command: one line of what happened, one of what to do."""


class RunnerError(Exception):
    """Something could not be done. Shown as `error: …` and `hint: …`; the command ends with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RunnerError):
    """The command was called in a way that cannot be meant."""

    exit_code = 2


class GitError(RunnerError):
    """Git could not answer; `about` names the ref or the part of the repository that this is about."""

    def __init__(self, message: str, hint: str | None = None, about: str = ".git") -> None:
        super().__init__(message, hint)
        self.about = about


class RepositoryError(GitError):
    """There is no repository that git would read at all: no git, no repository, or that of another user."""


class StoreError(RunnerError):
    """The database could not be read or written."""


class StoreGoneError(StoreError):
    """The database that a tick works on was removed or replaced: waiting does not bring it back."""


class ScheduleError(ValueError):
    """A schedule that cannot be meant; `field` names the key at fault, `hint` says what to write instead."""

    def __init__(self, field: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.hint = hint
