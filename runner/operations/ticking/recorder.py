"""Record the events of runs in groups, many in one transaction."""

from __future__ import annotations

from runner import clock
from runner.execution.supervising.events import Ended, Started
from runner.execution.supervising.live_output import remove
from runner.model.job import Job
from runner.operations.ticking.outcome import decide_outcome
from runner.store.database import FileId, recording
from runner.store.endings import AttemptEnd, end_attempt, record_start
from runner.store.queue import asked_to_end, release

#: Seconds that an event may wait for others. A busy tick writes this often, a quiet tick once no more events come.
_PATIENCE = 0.5


class Recorder:
    """Collects the events of an executor, and records them for the owner of the runs."""

    def __init__(self, database: str, known: FileId, owner: str) -> None:
        self._database = database
        self._known = known
        self._owner = owner
        self._starts: list[Started] = []
        self._ended: list[tuple[Ended, bool]] = []
        self._released: list[tuple[int, int]] = []
        self._since: float | None = None

    def note(self, event: Started | Ended, *, asked: bool = False) -> None:
        """Keep an event until the next `flush`. `asked` says that a request to end the run had been made."""
        if isinstance(event, Started):
            self._starts.append(event)
        else:
            self._ended.append((event, asked))
        if self._since is None:
            self._since = clock.monotonic()

    def release(self, job: Job) -> None:
        """Keep until the next `flush` that a run was taken and goes back into the queue."""
        self._released.append((job.run_id, job.attempt))
        self._since = self._since or clock.monotonic()

    def is_full(self) -> bool:
        """Return whether the oldest event has waited long enough to be recorded now."""
        return self._since is not None and clock.monotonic() - self._since > _PATIENCE

    def has_news(self) -> bool:
        """Return whether there is anything to record."""
        return self._since is not None

    def flush(self) -> list[tuple[int, str]]:
        """Record all events; return the owned runs that are asked to end, each with the reason.

        Raises StoreError. Then all events are kept, and the next call tries again.
        """
        with recording(self._database, self._known) as session:
            with session.transaction(durable=False):
                for started in self._starts:
                    job = started.job
                    limit = job.timeout + job.kill_grace
                    record_start(session, self._owner, job.run_id, job.attempt, started.at, limit)
                for ended, asked in self._ended:
                    end_attempt(session, self._end(ended, asked=asked))
                release(session, self._owner, self._released, clock.now())
            requests = asked_to_end(session, self._owner)
        for ended, _ in self._ended:
            if ended.live_file is not None:
                remove(ended.live_file)
        self._starts.clear()
        self._ended.clear()
        self._released.clear()
        self._since = None
        return requests

    def _end(self, ended: Ended, *, asked: bool) -> AttemptEnd:
        job, result = ended.job, ended.result
        outcome = decide_outcome(job, result, asked=asked)
        return AttemptEnd(job.run_id, job.attempt, self._owner, result, outcome.reason, outcome.retry_at)
