"""What happens to runs, written down in groups: one transaction for many."""

from __future__ import annotations

from runner import clock
from runner.execution.supervising.events import Ended, Started
from runner.execution.supervising.live_output import remove
from runner.model.job import Job
from runner.operations.ticking.outcome import outcome
from runner.store.database import FileId, recording
from runner.store.endings import AttemptEnd, end_attempt, record_start
from runner.store.queue import asked_to_end, release

#: Seconds that news may wait for company. A busy tick writes so often; a quiet one as soon as nothing more comes.
_PATIENCE = 0.5


class Recorder:
    """Collects what an executor reports, and records it under the name of the owner."""

    def __init__(self, database: str, known: FileId, owner: str) -> None:
        self._database = database
        self._known = known
        self._owner = owner
        self._starts: list[Started] = []
        self._endings: list[tuple[Ended, bool]] = []
        self._released: list[tuple[int, int]] = []
        self._since: float | None = None

    def note(self, event: Started | Ended, *, asked: bool = False) -> None:
        """Take what has happened; `asked` says that somebody wanted this run to end."""
        if isinstance(event, Started):
            self._starts.append(event)
        else:
            self._endings.append((event, asked))
        if self._since is None:
            self._since = clock.monotonic()

    def release(self, job: Job) -> None:
        """Note that a run was taken and is not going to be started here."""
        self._released.append((job.run_id, job.attempt))
        self._since = self._since or clock.monotonic()

    def is_full(self) -> bool:
        """Return whether news has waited long enough for company."""
        return self._since is not None and clock.monotonic() - self._since > _PATIENCE

    def has_news(self) -> bool:
        """Return whether there is anything to record."""
        return self._since is not None

    def flush(self) -> list[tuple[int, str]]:
        """Record everything that has been noted; return the runs in hand that somebody wants to end, with the reason.

        Raises StoreError; then nothing is forgotten, and another call tries again.
        """
        with recording(self._database, self._known) as session:
            with session.transaction(durable=False):
                for started in self._starts:
                    job = started.job
                    limit = job.timeout + job.kill_grace
                    record_start(session, self._owner, job.run_id, job.attempt, started.at, limit)
                for ended, asked in self._endings:
                    end_attempt(session, self._end(ended, asked=asked))
                release(session, self._owner, self._released, clock.now())
            wanted = asked_to_end(session, self._owner)
        for ended, _ in self._endings:
            if ended.live_file is not None:
                remove(ended.live_file)
        self._starts.clear()
        self._endings.clear()
        self._released.clear()
        self._since = None
        return wanted

    def _end(self, ended: Ended, *, asked: bool) -> AttemptEnd:
        job, ending = ended.job, ended.ending
        meant = outcome(job, ending, asked=asked)
        return AttemptEnd(job.run_id, job.attempt, self._owner, ending, meant.said, meant.retry_at)
