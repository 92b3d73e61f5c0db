"""When a failed attempt is followed by another one. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.value import Value


class Retry(Value):
    """How often a run is tried in all, the first attempt included, and how long it waits before each further one."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=30)
    backoff: float = 2.0
    max_delay: timedelta = timedelta(hours=1)

    def wait_after(self, attempt: int) -> timedelta:
        """Return how long to wait after an attempt has failed: `delay`, and `backoff` times as long each further time."""
        try:
            factor = self.backoff ** (attempt - 1)
        except OverflowError:
            return self.max_delay
        # Compared as numbers first: a product beyond all dates is no timedelta.
        if self.delay.total_seconds() * factor >= self.max_delay.total_seconds():
            return self.max_delay
        return self.delay * factor

    def next_at(self, attempt: int, ended_at: datetime) -> datetime | None:
        """Return when the attempt after a failed one may start; None where it was the last."""
        return ended_at + self.wait_after(attempt) if attempt < self.attempts else None


#: One attempt, and no other.
ONCE = Retry()
