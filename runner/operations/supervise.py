"""Run what waits, the longest-waiting first, and record everything."""

from __future__ import annotations

import signal
from collections import deque
from datetime import datetime, timedelta

from runner import clock
from runner.errors import RunnerError, StoreError
from runner.execution import processes
from runner.execution.begun import Begun
from runner.execution.places import Places
from runner.execution.pool import Ended, Pool
from runner.execution.signals import REASONS
from runner.execution.workshop import Workshop
from runner.model.ending import Ending
from runner.model.job import Job
from runner.model.words import CANCELLED, FAILED
from runner.operations.journal import Journal
from runner.operations.site import Site
from runner.operations.waiting import Waiting
from runner.store import queue
from runner.store.database import opened

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds for which the ends of runs are kept in memory while the disk is full or the database locked.
_PATIENCE = 60.0
_PAUSE = 1.0
#: How long a pool waits for more news before what there is is written down, and between tries to get a place.
_LULL = 0.05
_TRY_AGAIN = 0.1
_SHARE_AFTER = 0.3
#: How long a tick waits for a place that others have: then there is another tick that does.
_WAIT_FOR_PLACE = 60.0


class Supervisor:
    """Has jobs run by a pool, and writes down what becomes of them.

    Trouble with the database does not touch what runs: what could not be recorded is tried again, at the end for a minute.
    """

    def __init__(
        self,
        site: Site,
        now: datetime,
        show: Callable[[bytes], None] | None = None,
        waits: Callable[[], None] | None = None,
    ) -> None:
        with opened(site.database) as connection:
            self._terms = queue.terms(connection)
        self.name = processes.supervisor()
        self._now = now
        self._began = clock.monotonic()
        places = Places(f"{site.state}/places", self._terms.max_parallel)
        self._pool = Pool(Workshop(site.root, site.state, self._terms.store_id), places, self._terms.secrets_file, show)
        self._journal = Journal(site.database, self.name)
        self._begun = Begun(site.state, self.name)
        self._database = site.database
        self._hand: deque[Job] = deque()
        self._waiting: Waiting | None = None
        self._taken: list[int] = []
        self._asked: set[int] = set()
        self._no_place_since: float | None = None
        #: Called once where the job in hand has to wait for a place.
        self._waits = waits
        self._grace_ends: float | None = None
        self._trouble: StoreError | None = None

    def run(self, job: Job) -> None:
        """Run a job that is in hand, and nothing else. Raises as `run_waiting`."""
        self._hand.append(job)
        self._work()

    def run_waiting(self, only: frozenset[str] | None = None) -> list[int]:
        """Run what waits, of the tasks in `only` where it is given; return the ids of the runs that were taken.

        Stays for what comes before the next minute, when there is another tick. Raises StoreError; KeyboardInterrupt on Ctrl-C and
        RunnerError on TERM, once everything has ended and is on record.
        """
        self._waiting = Waiting(self._database, self.name, only, self._now)
        self._work()
        return self._taken

    def _work(self) -> None:
        with self._pool:
            self._start_what_fits()
            while not self._is_over():
                self._wait()
                self._start_what_fits()
            self._end_the_rest()
            self._record_the_rest()
        self._begun.close()
        self._say_why()

    def _say_why(self) -> None:
        """Raise what has ended the work before its time, if anything has."""
        stopped_by = self._pool.signals.stopped_by
        if stopped_by == signal.SIGINT:
            raise KeyboardInterrupt
        if stopped_by is not None:
            raise RunnerError(
                REASONS[stopped_by], "what had not ended is cancelled, or tried again: see `runner history`"
            )
        if self._trouble is not None:
            raise self._trouble

    def _present(self) -> datetime:
        """Return the instant that was given at the beginning, and what has passed since on a clock that nobody can set."""
        return self._now + timedelta(seconds=clock.monotonic() - self._began)

    def _is_over(self) -> bool:
        if self._pool.signals.stopped_by is not None:
            return self._is_stopped()
        if self._pool.is_busy() or (self._hand and self._waiting is None):
            return False
        if self._trouble is not None:
            return True
        if self._waiting is not None and self._journal.has_news():
            self._flush()  # what has ended may be tried again within the minute
        if self._waits_longer_than(_WAIT_FOR_PLACE):
            return True
        minute_ends = self._now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return not self._hand and (self._waiting is None or not self._waiting.comes_before(minute_ends))

    def _is_stopped(self) -> bool:
        """Return whether what runs after a signal has had its time to end by itself: none after Ctrl-C or a second signal."""
        signals = self._pool.signals
        if self._grace_ends is None:
            self._grace_ends = clock.monotonic() + self._terms.shutdown_grace.total_seconds()
            self._let_go()
        is_urgent = signals.stopped_by == signal.SIGINT or signals.times > 1
        return is_urgent or not self._pool.is_busy() or clock.monotonic() >= self._grace_ends

    def _start_what_fits(self) -> None:
        if self._pool.signals.stopped_by is not None:
            return
        while self._hand or self._may_take():
            if not self._has_place():
                self._no_place_since = self._no_place_since or clock.monotonic()
                self._share()
                self._say_that_it_waits()
                return
            self._no_place_since = None
            if not self._hand and not self._take():
                break
            self._start(self._hand.popleft())
        self._no_place_since = None
        self._pool.give_places_back()

    def _has_place(self) -> bool:
        try:
            return self._pool.has_place()
        except OSError as error:
            self._stop_taking(error)
            return False

    def _stop_taking(self, error: OSError) -> None:
        """Start nothing more, because the state folder cannot be written; what runs is not to suffer from it."""
        what = f"the state folder cannot be written: {error.strerror}"
        self._trouble = StoreError(what, "free some space, or check its permissions; the next tick goes on")
        self._let_go()

    def _share(self) -> None:
        """Leave what has been in hand for a moment without a place to whoever has one."""
        if self._hand and self._waiting is not None and self._waits_longer_than(_SHARE_AFTER):
            self._let_go()
            self._waiting.slow_down()

    def _say_that_it_waits(self) -> None:
        waits, self._waits = self._waits, None
        if self._hand and waits is not None:
            waits()

    def _waits_longer_than(self, seconds: float) -> bool:
        return self._no_place_since is not None and clock.monotonic() - self._no_place_since > seconds

    def _may_take(self) -> bool:
        if self._waiting is None or self._trouble is not None:
            return False
        return self._waiting.may_take(self._present())

    def _take(self) -> bool:
        assert self._waiting is not None  # noqa: S101 - `_may_take` has said so
        now = self._present()
        try:
            jobs = self._waiting.take(now)
        except StoreError as error:
            # What runs is not to suffer from it; and what has ended is to be recorded first.
            if not self._pool.is_busy():
                self._trouble = error
            self._waiting.look_later(now)
            return False
        self._hand.extend(jobs)
        self._taken += [job.run_id for job in jobs]
        return bool(jobs)

    def _start(self, job: Job) -> None:
        try:
            self._begun.note(job.run_id, job.attempt)
        except OSError as error:
            self._stop_taking(error)
            reason = f"could not be started: the state folder cannot be written: {error.strerror}"
            if self._waiting is not None:
                self._journal.give_back(job.run_id)
            else:
                self._journal.note(Ended(job, Ending(FAILED, None, clock.now(), reason)))
            return
        self._journal.note(self._pool.start(job))
        if self._journal.is_full():
            self._flush()

    def _wait(self) -> None:
        """Wait until something happens or is to be done, and note what has ended."""
        ended = self._pool.wait(self._patience())
        for event in ended:
            self._journal.note(event, asked=event.job.run_id in self._asked)
        is_in_the_way = bool(ended) and self._waiting is not None and self._waiting.is_blocked
        has_lull = self._journal.has_news() and not ended
        if self._pool.signals.news or self._journal.is_full() or is_in_the_way or has_lull:
            self._flush()

    def _patience(self) -> float:
        longest = _LULL if self._journal.has_news() else float("inf")
        if self._pool.signals.news:
            longest = _PAUSE
        if self._no_place_since is not None:
            longest = min(longest, _TRY_AGAIN)
        elif self._waiting is not None:
            longest = min(longest, self._waiting.seconds_left(self._present()))
        if self._grace_ends is not None:
            longest = min(longest, max(0.0, self._grace_ends - clock.monotonic()))
        return longest

    def _flush(self) -> None:
        self._pool.signals.news = False
        try:
            wanted = self._journal.flush()
        except StoreError:
            self._pool.signals.news = True  # noted all the same, and tried again
            return
        if self._waiting is not None:
            self._waiting.look_again(self._present())
        for run_id, reason in wanted:
            self._end(run_id, reason)

    def _end(self, run_id: int, reason: str) -> None:
        """End a run in hand because somebody has asked for it."""
        self._asked.add(run_id)
        self._pool.end(run_id, reason)
        for job in [job for job in self._hand if job.run_id == run_id]:
            self._hand.remove(job)
            self._never_start(job, reason)

    def _never_start(self, job: Job, reason: str) -> None:
        self._journal.note(Ended(job, Ending(CANCELLED, None, clock.now(), reason)), asked=True)

    def _let_go(self) -> None:
        """Leave what was taken and never started to others; what nobody else may take ends here."""
        while self._hand:
            job = self._hand.popleft()
            if self._waiting is not None:
                self._journal.give_back(job.run_id)
            else:
                self._never_start(job, f"{self._reason()} before it was started")

    def _reason(self) -> str:
        return REASONS[self._pool.signals.stopped_by or signal.SIGTERM]

    def _end_the_rest(self) -> None:
        """End what still runs after a signal. What a person has not ended by hand is tried again as its policy says."""
        self._let_go()
        self._pool.end_all(self._reason())
        while self._pool.is_busy():
            asked = self._pool.signals.stopped_by == signal.SIGINT
            for event in self._pool.wait(_PAUSE):
                self._journal.note(event, asked=asked or event.job.run_id in self._asked)

    def _record_the_rest(self) -> None:
        give_up = clock.monotonic() + _PATIENCE
        if self._journal.has_news():
            self._trouble = None  # it is over once this can be written
        while self._journal.has_news():
            try:
                self._journal.flush()
            except StoreError:
                if clock.monotonic() > give_up:
                    raise
                clock.pause(_PAUSE)
