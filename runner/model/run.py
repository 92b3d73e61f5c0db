"""One execution of a task, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runner.model.words import RUNNING


@dataclass(frozen=True, slots=True)
class RunError:
    """The exception that ended a run; `file` and `line` are those of the innermost frame in the task's file, if any."""

    type: str
    message: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended. One of exit_code and signal is set, unless nothing was started."""

    status: str
    started_at: datetime
    finished_at: datetime
    reason: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    error: RunError | None = None
    traceback: str | None = None
    output: bytes = b""
    output_dropped_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the store knows it. `attempts` counts child processes; `scheduled_for` is None for runs by hand."""

    run_id: int
    task: str
    trigger: str
    status: str
    timezone: str
    reason: str | None = None
    scheduled_for: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    commit: str | None = None
    attempts: int = 0
    missed: int = 0
    exit_code: int | None = None
    signal: int | None = None
    error: RunError | None = None

    @property
    def duration_seconds(self) -> float | None:
        """How long the run took, or None where it has not ended or never began."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    def state_in_words(self) -> str:
        """Return the status, or `waiting` for a claimed run whose child has not started yet."""
        return "waiting" if self.status == RUNNING and self.started_at is None else self.status


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What `show` adds to a run."""

    run: Run
    output: bytes
    output_dropped_bytes: int
    traceback: str | None
