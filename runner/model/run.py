"""Runs and their attempts, as the store keeps them."""

from __future__ import annotations

from datetime import datetime

from runner.model.attempt_result import RunError
from runner.model.context import ContextUse
from runner.model.statuses import RETRYING, RUNNING, WAITING
from runner.value import Value


class Run(Value):
    """A run. `attempts` is the number of attempts so far; `scheduled_for` is None for manual runs.

    `due_at` is when the next attempt of a waiting run may start.
    """

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
    due_at: datetime | None = None

    @property
    def duration_seconds(self) -> float | None:
        """How long the run took; None where it has not ended or never started."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    def is_under_way(self) -> bool:
        """Return whether an attempt of the run is under way."""
        return self.status == RUNNING and self.started_at is not None and self.due_at is None

    def state_in_words(self) -> str:
        """Return the status. A run in the queue is `waiting`, or `retrying` after a failed attempt."""
        if self.status == RUNNING and self.started_at is None:
            return WAITING
        return RETRYING if self.status == RUNNING and self.due_at is not None else self.status


class AttemptRecord(Value):
    """One attempt of a run. `finished_at` is None while it is under way. `rehearsal` is JSON, or empty."""

    number: int
    status: str
    reason: str | None
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    signal: int | None
    error: RunError | None
    traceback: str | None
    output: bytes
    output_dropped_bytes: int
    context: ContextUse | None = None
    rehearsal: str = ""


class RunDetails(Value):
    """A run with its attempts, in order, for `show`."""

    run: Run
    attempts: tuple[AttemptRecord, ...]

    @property
    def output(self) -> bytes:
        """The output of the last attempt."""
        return self.attempts[-1].output if self.attempts else b""

    @property
    def output_dropped_bytes(self) -> int:
        """The bytes of that output that were not kept."""
        return self.attempts[-1].output_dropped_bytes if self.attempts else 0

    @property
    def traceback(self) -> str | None:
        """The traceback of the last attempt."""
        return self.attempts[-1].traceback if self.attempts else None
