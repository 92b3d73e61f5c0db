"""Take runs from the queue for one tick: when to look, and how many to take at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from runner.store import queue
from runner.store.database import FileId, recording
from runner.store.queue import Taken

#: How many runs are taken at once where runs are quick. Slow runs are taken one at a time, so that the longest-waiting
#: run starts first, whichever tick has a free slot.
_MOST_AT_ONCE = 128
_QUICK = timedelta(seconds=0.3)
#: The shortest and the longest pause before the tick looks again for a run that another run blocks.
_SOON = timedelta(seconds=0.1)
_LATE = timedelta(seconds=5)


class WaitingRuns:
    """Takes runs for an owner; only those of the tasks in `only`, where it is given."""

    def __init__(self, database: str, known: FileId, owner: str, only: frozenset[str] | None, now: datetime) -> None:
        self._database = database
        self._known = known
        self._owner = owner
        self._only = only
        self._at_once = 1
        self._last_take: datetime | None = None
        self._look_at: datetime | None = now
        self._pause = _SOON
        #: Whether runs whose time has come wait for other runs of the same task.
        self.is_blocked = False

    def may_take(self, now: datetime) -> bool:
        """Return whether it is time to look for runs."""
        return self._look_at is not None and self._look_at <= now

    def seconds_left(self, now: datetime) -> float:
        """Return the seconds until it is time to look; infinity where no run is known to come."""
        return float("inf") if self._look_at is None else max(0.0, (self._look_at - now).total_seconds())

    def comes_before(self, end: datetime) -> bool:
        """Return whether a run may be taken before an instant."""
        return self._look_at is not None and self._look_at < end

    def look_again(self, now: datetime) -> None:
        """Make it time to look now: a run has ended."""
        self._look_at = now
        self._pause = _SOON

    def look_later(self, now: datetime) -> None:
        """Make it time to look after a pause, which doubles each time."""
        self._look_at = now + self._pause
        self._pause = min(self._pause * 2, _LATE)

    def slow_down(self) -> None:
        """Take one run at a time again: taken runs could not be started at once."""
        self._last_take = None

    def take(self, now: datetime, room: Mapping[str, int]) -> Taken:
        """Take the runs that have waited longest; return them once that is committed durably. Raises StoreError.

        `room` says for each context how many of its runs may be taken.
        """
        is_quick = self._last_take is not None and now - self._last_take < _QUICK
        self._at_once = min(self._at_once * 2, _MOST_AT_ONCE) if is_quick else 1
        self._last_take = now
        with recording(self._database, self._known) as session:
            with session.transaction():
                taken = queue.take(session, self._owner, now, self._at_once, self._only, room)
            due = queue.next_due(session, self._only) if len(taken.jobs) < self._at_once else now
        self.is_blocked = len(taken.jobs) < self._at_once and due is not None and due <= now
        if self.is_blocked:
            self.look_later(now)
        else:
            self._look_at = due
        return taken
