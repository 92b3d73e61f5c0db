"""What happens to runs, written down in groups: one transaction for many, and no database open while a child is forked."""

from __future__ import annotations

from datetime import datetime

from runner import clock
from runner.execution.pool import Ended, Started
from runner.model.run import Ending
from runner.store.claims import mark_started
from runner.store.database import opened, transaction
from runner.store.endings import record_endings

#: Seconds that news may wait for company. A busy tick writes so often; a quiet one as soon as nothing more comes.
_PATIENCE = 0.5


class Journal:
    """Collects what the pool reports, and records it."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._starts: list[tuple[int, datetime]] = []
        self._endings: list[tuple[int, Ending]] = []
        self._since: float | None = None

    def note(self, event: Started | Ended | None) -> None:
        """Take what has happened; None says that nothing has for a moment, which is a good one to write."""
        if event is None:
            self.flush()
            return
        if isinstance(event, Started):
            self._starts.append((event.job.run_id, event.at))
        else:
            self._endings.append((event.job.run_id, event.ending))
        if self._since is None:
            self._since = clock.monotonic()
        elif clock.monotonic() - self._since > _PATIENCE:
            self.flush()

    def flush(self) -> None:
        """Record everything that has been noted. Raises StoreError; then nothing is forgotten, and another call tries again."""
        if not self._starts and not self._endings:
            return
        with opened(self._database) as connection, transaction(connection, durable=False):
            mark_started(connection, self._starts)
            record_endings(connection, self._endings)
        self._starts.clear()
        self._endings.clear()
        self._since = None
