"""What happens to runs, written down in groups: one transaction for many, and no database open while a child is forked."""

from __future__ import annotations

from datetime import datetime

from runner import clock
from runner.execution.live import remove
from runner.execution.pool import Ended, Started
from runner.operations.outcome import outcome
from runner.store.database import opened, transaction
from runner.store.endings import record_end, record_starts
from runner.store.queue import asked_to_end, give_back

#: Seconds that news may wait for company. A busy tick writes so often; a quiet one as soon as nothing more comes.
_PATIENCE = 0.5


class Journal:
    """Collects what the pool reports, and records it under the name of this process."""

    def __init__(self, database: str, supervisor: str) -> None:
        self._database = database
        self._supervisor = supervisor
        self._starts: list[tuple[int, int, datetime]] = []
        self._endings: list[tuple[Ended, bool]] = []
        self._returned: list[int] = []
        self._since: float | None = None

    def note(self, event: Started | Ended, *, asked: bool = False) -> None:
        """Take what has happened; `asked` says that somebody wanted this run to end."""
        if isinstance(event, Started):
            self._starts.append((event.job.run_id, event.job.attempt, event.at))
        else:
            self._endings.append((event, asked))
        if self._since is None:
            self._since = clock.monotonic()

    def give_back(self, run_id: int) -> None:
        """Note that a run was taken and is not going to be started here."""
        self._returned.append(run_id)
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
        with opened(self._database) as connection:
            with transaction(connection, durable=False):
                record_starts(connection, self._starts)
                for ended, asked in self._endings:
                    job, ending = ended.job, ended.ending
                    meant = outcome(job, ending, asked=asked)
                    record_end(connection, job.run_id, job.attempt, ending, meant.said, meant.retry_at)
                give_back(connection, self._returned, clock.now())
            wanted = asked_to_end(connection, self._supervisor)
        for ended, _ in self._endings:
            if ended.live_file is not None:
                remove(ended.live_file)
        self._starts.clear()
        self._endings.clear()
        self._returned.clear()
        self._since = None
        return wanted
