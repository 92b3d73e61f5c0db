"""What the end of an attempt means for its run. Pure."""

from __future__ import annotations

from datetime import datetime

from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.model.statuses import CANCELLED, FAILED, LOST, SUCCEEDED, TIMED_OUT
from runner.value import Value


class Outcome(Value):
    """`said` is the reason that the run has from now on, None where it keeps its own; `retry_at` is None where it is over."""

    said: str | None
    retry_at: datetime | None


def outcome(job: Job, ending: AttemptResult, *, asked: bool) -> Outcome:
    """Return what becomes of the run. `asked` says that somebody wanted this run to end, which is not tried again then.

    What never began fails the same way the next time: there is no other attempt after it either.
    """
    if ending.status == SUCCEEDED:
        return Outcome(f"succeeded at attempt {job.attempt}" if job.attempt > 1 else None, None)
    may_retry = ending.status in {FAILED, TIMED_OUT, LOST, CANCELLED} and ending.started_at is not None and not asked
    retry_at = job.retry.next_at(job.attempt, ending.finished_at) if may_retry else None
    if job.attempt == 1 and retry_at is None:
        return Outcome(ending.reason, None)
    return Outcome(f"attempt {job.attempt} of {job.retry.attempts}: {ending.reason or ending.status}", retry_at)
