"""Compute whether and when a run is attempted again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.value import Value


class Retry(Value):
    """A retry policy: the number of attempts, the first one included, and the delay before each further one."""

    attempts: int = 1
    delay: timedelta = timedelta(seconds=30)
    backoff: float = 2.0
    max_delay: timedelta = timedelta(hours=1)

    def wait_after(self, attempt: int) -> timedelta:
        """Return the delay after a failed attempt: `delay`, multiplied by `backoff` after each further one."""
        try:
            factor = self.backoff ** (attempt - 1)
        except OverflowError:
            return self.max_delay
        # Numbers are compared first: a timedelta cannot hold a very large product.
        if self.delay.total_seconds() * factor >= self.max_delay.total_seconds():
            return self.max_delay
        return self.delay * factor

    def next_at(self, attempt: int, ended_at: datetime) -> datetime | None:
        """Return when the attempt after a failed one may start; None where that was the last one."""
        return ended_at + self.wait_after(attempt) if attempt < self.attempts else None


#: No retry: one attempt.
ONCE = Retry()
