"""Derive the outcome of a run from the end of an attempt. Pure."""

from __future__ import annotations

from datetime import datetime

from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.model.statuses import CANCELLED, FAILED, LOST, SUCCEEDED, TIMED_OUT
from runner.value import Value


class Outcome(Value):
    """The outcome of a run.

    `reason` is the new reason of the run, None where the run keeps its own. `retry_at` is when the next attempt may
    start, None where the run has ended.
    """

    reason: str | None
    retry_at: datetime | None


def decide_outcome(job: Job, result: AttemptResult, *, asked: bool) -> Outcome:
    """Return the outcome of the run. `asked` says that a request to end the run had been made: then there is no retry.

    There is no retry either where the attempt never started: the next one would fail in the same way.
    """
    if result.status == SUCCEEDED:
        return Outcome(f"succeeded at attempt {job.attempt}" if job.attempt > 1 else None, None)
    may_retry = result.status in {FAILED, TIMED_OUT, LOST, CANCELLED} and result.started_at is not None and not asked
    retry_at = job.retry.next_at(job.attempt, result.finished_at) if may_retry else None
    if job.attempt == 1 and retry_at is None:
        return Outcome(result.reason, None)
    return Outcome(f"attempt {job.attempt} of {job.retry.attempts}: {result.reason or result.status}", retry_at)
