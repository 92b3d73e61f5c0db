"""Report what happens in a tick as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from runner import clock
from runner.execution.supervising.events import Ended, Printed, Started
from runner.model.statuses import RETRYING
from runner.operations.ticking.outcome import decide_outcome
from runner.store import history
from runner.store.database import reading
from runner.value import Value

#: The word for an attempt that has just begun.
STARTED = "started"


class Progress(Value):
    """One event of a run. `status` is STARTED, or the status that the run has after the event.

    `took` is how long the attempt took, `retry_at` when the next attempt starts; None where there is none.
    """

    at: datetime
    run_id: int
    task: str
    status: str
    attempt: int = 1
    took: timedelta | None = None
    reason: str | None = None
    retry_at: datetime | None = None


class Watch:
    """Passes each event to `tell`, and the output of tasks where `wants_output` is true."""

    def __init__(self, database: str, tell: Callable[[Progress | Printed], None], *, wants_output: bool) -> None:
        self._database = database
        self._tell = tell
        self.wants_output = wants_output

    def happened(self, event: Started | Ended, *, asked: bool) -> None:
        """Report that an attempt has started or ended. `asked` is as in `decide_outcome`."""
        self._tell(_begin(event) if isinstance(event, Started) else _end(event, asked=asked))

    def printed(self, event: Printed) -> None:
        """Report what a task has printed."""
        self._tell(event)

    def decided(self, run_ids: Iterable[int]) -> None:
        """Report runs that were recorded without an attempt of this tick: skipped and lost ones."""
        run_ids = [*run_ids]
        if not run_ids:
            return
        with reading(self._database) as session:
            runs = history.runs_by_id(session, run_ids)
        for run in runs:
            status = run.state_in_words()
            self._tell(Progress(clock.now(), run.run_id, run.task, status, reason=run.reason, retry_at=run.due_at))


def _begin(event: Started) -> Progress:
    return Progress(event.at, event.job.run_id, event.job.task, STARTED, event.job.attempt)


def _end(event: Ended, *, asked: bool) -> Progress:
    job, result = event.job, event.result
    outcome = decide_outcome(job, result, asked=asked)
    return Progress(
        at=result.finished_at,
        run_id=job.run_id,
        task=job.task,
        status=result.status if outcome.retry_at is None else RETRYING,
        attempt=job.attempt,
        took=None if result.started_at is None else result.finished_at - result.started_at,
        reason=outcome.reason,
        retry_at=outcome.retry_at,
    )
