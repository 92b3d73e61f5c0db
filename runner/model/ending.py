"""How an attempt ended."""

from __future__ import annotations

from datetime import datetime

from runner.model.value import Value


class RunError(Value):
    """The exception that ended the code; `file` and `line` are those of the innermost frame in the task's file, if any."""

    __slots__ = ("file", "line", "message", "type")

    def __init__(self, type: str, message: str, file: str | None = None, line: int | None = None) -> None:  # noqa: A002
        self.type = type
        self.message = message
        self.file = file
        self.line = line


class Ending(Value):
    """How an attempt ended. One of exit_code and signal is set, unless nothing was started."""

    __slots__ = (
        "error",
        "exit_code",
        "finished_at",
        "output",
        "output_dropped_bytes",
        "reason",
        "signal",
        "started_at",
        "status",
        "traceback",
    )

    def __init__(
        self,
        status: str,
        started_at: datetime | None,
        finished_at: datetime,
        reason: str | None = None,
        *,
        exit_code: int | None = None,
        signal: int | None = None,
        error: RunError | None = None,
        traceback: str | None = None,
        output: bytes = b"",
        output_dropped_bytes: int = 0,
    ) -> None:
        self.status = status
        self.started_at = started_at
        self.finished_at = finished_at
        self.reason = reason
        self.exit_code = exit_code
        self.signal = signal
        self.error = error
        self.traceback = traceback
        self.output = output
        self.output_dropped_bytes = output_dropped_bytes
