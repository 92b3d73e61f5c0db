"""How an attempt ended."""

from __future__ import annotations

from datetime import datetime

from runner.model.context import ContextUse
from runner.value import Value

#: The type of the error on record where the code exits with a text, as in `sys.exit("no rows")`.
EXIT = "SystemExit"
#: The type of the error on record where a rehearsal could not be rolled back as a whole.
ROLLBACK = "runner.NotRolledBack"
#: The type of an error that the permissions of the task have caused.
DENIED = "permission-denied"


class RunError(Value):
    """The exception that ended the code, or EXIT with the text of `sys.exit`.

    `file` and `line` are those of the innermost frame in the task's file, if any.
    """

    type: str
    message: str
    file: str | None = None
    line: int | None = None


class AttemptResult(Value):
    """How an attempt ended. Either `exit_code` or `signal` is set, unless no process was started.

    `rehearsal` is what an attempt that was rolled back would have changed, as JSON; empty for any other.
    `touched` is what an attempt that learns has touched beyond its permissions, as `KIND VALUE`.
    """

    status: str
    started_at: datetime | None
    finished_at: datetime
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: RunError | None = None
    traceback: str | None = None
    output: bytes = b""
    output_dropped_bytes: int = 0
    rehearsal: str = ""
    touched: tuple[str, ...] = ()
    context: ContextUse | None = None
