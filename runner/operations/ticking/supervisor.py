"""Run what waits, the longest-waiting first, and record everything."""

from __future__ import annotations

import signal
from collections import deque
from datetime import datetime, timedelta

from runner import clock
from runner.errors import GitError, RunnerError, StoreError, StoreGoneError
from runner.execution.owners.slots import Slots
from runner.execution.supervising.events import Ended, Printed, Refused, Started
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import REASONS
from runner.model.attempt_result import AttemptResult
from runner.model.commit import SHORT
from runner.model.job import Job
from runner.model.statuses import CANCELLED, FAILED
from runner.operations.ticking.recorder import Recorder
from runner.operations.ticking.run_files import Files
from runner.operations.ticking.waiting_runs import WaitingRuns
from runner.operations.workspace import Workspace
from runner.store.database import file_id, reading
from runner.store.queue import RunSettings, asked_to_end

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execution.supervising.events import Event
    from runner.execution.supervising.executor import Executor
    from runner.operations.ticking.progress import Watch

#: Seconds for which the ends of runs are kept in memory while the disk is full or the database locked.
_PATIENCE = 60.0
_PAUSE = 1.0
#: How long to wait for more news before what there is is written down, and between tries to get a slot.
_LULL = 0.05
_TRY_AGAIN = 0.1
_SHARE_AFTER = 0.3
#: How often to look for requests that no signal brings.
_LISTEN = 2.0
#: How long a tick waits for a slot that others have: then there is another tick that does.
_WAIT_FOR_SLOT = 60.0
#: How many runs the sentence about Ctrl-C names.
_MOST_NAMED = 5


class Supervisor:
    """Has jobs run by an executor, and writes down what becomes of them.

    Trouble with the database does not touch what runs: what could not be recorded is tried again, at the end for a minute.
    """

    def __init__(
        self,
        workspace: Workspace,
        run_settings: RunSettings,
        owner: str,
        executor: Executor,
        now: datetime,
        waits: Callable[[], None] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        watch: Watch | None = None,
    ) -> None:
        """Take what it needs; `waits` is called once where a job has to wait for a slot, `meanwhile` once what fits has started.

        `watch` is told of everything that happens.
        """
        self._run_settings = run_settings
        self._now = now
        self._began = clock.monotonic()
        self._executor = executor
        self._slots = Slots(f"{workspace.state}/slots", run_settings.max_parallel)
        self._free = 0
        self._files = Files(
            workspace,
            run_settings.files,
            run_settings.accepted,
            RunEnvironment(workspace.root, workspace.state, run_settings.store_id).unfinished_checkout(owner),
        )
        self._known = file_id(workspace.database)
        self._recorder = Recorder(workspace.database, self._known, owner)
        self._owner = owner
        self._database = workspace.database
        self._hand: deque[Job] = deque()
        self._under_way: set[int] = set()
        self._waiting: WaitingRuns | None = None
        self._taken: list[int] = []
        self._missed: list[int] = []
        self._asked: set[int] = set()
        self._interrupted: list[Job] = []
        self._listen_at = self._began + _LISTEN
        self._no_slot_since: float | None = None
        self._waits = waits
        self._meanwhile = meanwhile
        self._watch = watch
        self._grace_ends: float | None = None
        #: Why nothing more is started; and why nothing could be taken, which may be over by the end.
        self._trouble: StoreError | None = None
        self._not_taken: StoreError | None = None

    def run(self, *jobs: Job) -> None:
        """Run jobs that are owned already, and nothing else. Raises as `run_waiting`."""
        self._hand.extend(jobs)
        self._work()

    def run_waiting(self, only: frozenset[str] | None = None) -> tuple[list[int], list[int]]:
        """Run what waits, of the tasks in `only` where it is given; return the runs that were taken, and those that were too late.

        Stays for what comes before the next minute, when there is another tick. Raises StoreError; KeyboardInterrupt on Ctrl-C and
        RunnerError on TERM, once everything has ended and is on record.
        """
        self._waiting = WaitingRuns(self._database, self._known, self._owner, only, self._now)
        self._work()
        return self._taken, self._missed

    def _work(self) -> None:
        with self._executor:
            self._start_what_fits()
            self._meanwhile()
            while not self._is_over():
                self._wait()
                self._start_what_fits()
            self._end_the_rest()
            self._record_the_rest()
        self._give_slots_back()
        self._say_why()

    def _say_why(self) -> None:
        """Raise what has ended the work before its time, if anything has."""
        stopped_by = self._executor.signals.stopped_by
        if stopped_by == signal.SIGINT:
            raise KeyboardInterrupt(interrupted(self._interrupted))
        if stopped_by is not None:
            raise RunnerError(
                REASONS[stopped_by], "runs that had not ended are cancelled or retried: see `runner history`"
            )
        if self._executor.is_lost:
            raise RunnerError(
                "the process that starts tasks was killed", "the next tick reports the lost runs and continues"
            )
        trouble = self._trouble or self._not_taken
        if trouble is not None:
            raise trouble

    def _present(self) -> datetime:
        """Return the instant that was given at the beginning, and what has passed since on a clock that nobody can set."""
        return self._now + timedelta(seconds=clock.monotonic() - self._began)

    def _is_over(self) -> bool:
        if self._executor.is_lost:
            return True
        if self._executor.signals.stopped_by is not None:
            return self._is_stopped()
        if self._under_way or (self._hand and self._waiting is None):
            return False
        if self._trouble is not None or self._not_taken is not None:
            return True
        if self._waiting is not None and self._recorder.has_news():
            self._flush()  # what has ended may be tried again within the minute
        if self._waits_longer_than(_WAIT_FOR_SLOT):
            return True
        minute_ends = self._now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return not self._hand and (self._waiting is None or not self._waiting.comes_before(minute_ends))

    def _is_stopped(self) -> bool:
        """Return whether what runs after a signal has had its time to end by itself: none after Ctrl-C or a second signal."""
        signals = self._executor.signals
        if self._grace_ends is None:
            self._grace_ends = clock.monotonic() + self._run_settings.shutdown_grace.total_seconds()
            self._let_go()
        is_urgent = signals.stopped_by == signal.SIGINT or signals.times > 1
        return is_urgent or not self._under_way or clock.monotonic() >= self._grace_ends

    def _start_what_fits(self) -> None:
        if self._executor.signals.stopped_by is not None:
            return
        while self._hand or self._may_take():
            if not self._has_slot():
                self._no_slot_since = self._no_slot_since or clock.monotonic()
                self._share()
                self._say_that_it_waits()
                return
            self._no_slot_since = None
            if not self._hand and not self._take():
                break
            self._start(self._hand.popleft())
        self._no_slot_since = None
        self._give_slots_back()

    def _has_slot(self) -> bool:
        """Return whether something could be started now; takes a slot for it where one is free."""
        try:
            if not self._free and self._slots.take():
                self._free += 1
        except OSError as error:
            self._stop_taking(f"no concurrency slot can be taken: {error.filename}: {error.strerror}")
            return False
        return self._free > 0

    def _give_slots_back(self) -> None:
        """Let others have the slots for which there is nothing to be started now."""
        while self._free:
            self._slots.release()
            self._free -= 1

    def _stop_taking(self, why: str) -> None:
        """Start nothing more; what runs is not to suffer from it."""
        hint = "check that the state folder is writable and the disk has free space; the next tick tries again"
        self._trouble = StoreError(why, hint)
        self._let_go()

    def _share(self) -> None:
        """Leave what has been in hand for a moment without a slot to whoever has one."""
        if self._hand and self._waiting is not None and self._waits_longer_than(_SHARE_AFTER):
            self._let_go()
            self._waiting.slow_down()

    def _say_that_it_waits(self) -> None:
        waits, self._waits = self._waits, None
        if self._hand and waits is not None:
            waits()

    def _waits_longer_than(self, seconds: float) -> bool:
        return self._no_slot_since is not None and clock.monotonic() - self._no_slot_since > seconds

    def _may_take(self) -> bool:
        if self._waiting is None or self._trouble is not None or self._not_taken is not None:
            return False
        return self._waiting.may_take(self._present())

    def _take(self) -> bool:
        assert self._waiting is not None  # noqa: S101 - `_may_take` has said so
        now = self._present()
        try:
            taken = self._waiting.take(now)
        except StoreError as error:
            # What runs is not to suffer from it; and what has ended is to be recorded first.
            if not self._under_way:
                self._not_taken = error
            self._waiting.look_later(now)
            return False
        self._hand.extend(taken.jobs)
        self._taken += [job.run_id for job in taken.jobs]
        self._missed += taken.missed
        if self._watch is not None:
            self._watch.decided(taken.missed)
        return bool(taken.jobs)

    def _start(self, job: Job) -> None:
        """Have a job started, with the files of its commit; where git cannot give them, its run fails."""
        self._free -= 1
        self._under_way.add(job.run_id)
        try:
            self._executor.start(self._files.placed(job))
        except GitError as error:
            reason = f"the files of commit {job.commit[:SHORT]} cannot be read: {error.message}"
            self._note([Ended(job, AttemptResult(FAILED, None, clock.now(), reason))])
        except OSError as error:
            self._note([Refused(job, f"the files of its commit cannot be written: {error.strerror}")])
        if self._recorder.is_full():
            self._flush()

    def _wait(self) -> None:
        """Wait until something happens or is to be done, and note what has happened."""
        ended = self._note(self._executor.wait(self._patience()))
        is_in_the_way = ended and self._waiting is not None and self._waiting.is_blocked
        has_lull = self._recorder.has_news() and not ended
        if self._executor.signals.news or self._recorder.is_full() or is_in_the_way or has_lull:
            self._flush()
        elif clock.monotonic() >= self._listen_at:
            self._listen()

    def _listen(self) -> None:
        """Hear what was asked for by who cannot wake this process: from another container, or as a user who does not see it."""
        self._listen_at = clock.monotonic() + _LISTEN
        try:
            with reading(self._database) as session:
                wanted = asked_to_end(session, self._owner)
        except StoreError:
            return  # it is asked again
        for run_id, reason in wanted:
            if run_id not in self._asked:
                self._end(run_id, reason)

    def _note(self, events: list[Event], *, asked: bool = False) -> bool:
        """Note what has happened; return whether any run has ended."""
        for event in events:
            if isinstance(event, Started):
                self._record(event)
                continue
            if isinstance(event, Printed):
                if self._watch is not None:
                    self._watch.printed(event)
                continue
            self._under_way.discard(event.job.run_id)
            self._free += 1
            if isinstance(event, Ended):
                self._record(event, asked=asked or event.job.run_id in self._asked)
            else:
                self._never_begun(event)
        return not all(isinstance(event, (Started, Printed)) for event in events)

    def _record(self, event: Started | Ended, *, asked: bool = False) -> None:
        self._recorder.note(event, asked=asked)
        if self._watch is not None:
            self._watch.happened(event, asked=asked)

    def _never_begun(self, refused: Refused) -> None:
        self._stop_taking(f"no attempt can be started: {refused.why}")
        if self._waiting is not None:
            self._recorder.release(refused.job)
        else:
            self._cannot_start(refused.job)

    def _patience(self) -> float:
        longest = _LULL if self._recorder.has_news() else max(0.0, self._listen_at - clock.monotonic())
        if self._executor.signals.news:
            longest = _PAUSE
        if self._no_slot_since is not None:
            longest = min(longest, _TRY_AGAIN)
        elif self._waiting is not None:
            longest = min(longest, self._waiting.seconds_left(self._present()))
        if self._grace_ends is not None:
            longest = min(longest, max(0.0, self._grace_ends - clock.monotonic()))
        return longest

    def _flush(self) -> None:
        self._executor.signals.news = False
        try:
            wanted = self._recorder.flush()
        except StoreGoneError as error:
            self._trouble = error
            return
        except StoreError:
            self._executor.signals.news = True  # noted all the same, and tried again
            return
        if self._waiting is not None:
            self._waiting.look_again(self._present())
        for run_id, reason in wanted:
            self._end(run_id, reason)

    def _end(self, run_id: int, reason: str) -> None:
        """End a run in hand because somebody has asked for it."""
        self._asked.add(run_id)
        self._executor.end(run_id, reason)
        for job in [job for job in self._hand if job.run_id == run_id]:
            self._hand.remove(job)
            self._never_start(job, reason)

    def _never_start(self, job: Job, reason: str) -> None:
        self._record(Ended(job, AttemptResult(CANCELLED, None, clock.now(), reason)), asked=True)

    def _let_go(self) -> None:
        """Leave what was taken and never started to others; what nobody else may take ends here."""
        while self._hand:
            job = self._hand.popleft()
            if self._waiting is not None:
                self._recorder.release(job)
            else:
                self._cannot_start(job)

    def _cannot_start(self, job: Job) -> None:
        if self._trouble is None:
            self._interrupted.append(job)
            self._never_start(job, f"{self._reason()} before it was started")
            return
        reason = f"could not be started: {self._trouble.message}"
        self._record(Ended(job, AttemptResult(FAILED, None, clock.now(), reason)))

    def _reason(self) -> str:
        return REASONS[self._executor.signals.stopped_by or signal.SIGTERM]

    def _end_the_rest(self) -> None:
        """End what still runs after a signal. What a person has not ended by hand is tried again as its policy says."""
        self._let_go()
        self._executor.end_all(self._reason())
        while self._under_way and not self._executor.is_lost:
            asked = self._executor.signals.stopped_by == signal.SIGINT
            events = self._executor.wait(_PAUSE)
            self._interrupted += [e.job for e in events if isinstance(e, Ended) and e.ending.status == CANCELLED]
            self._note(events, asked=asked)

    def _record_the_rest(self) -> None:
        give_up = clock.monotonic() + _PATIENCE
        if self._recorder.has_news():
            self._not_taken = None  # it is over once this can be written
        while self._recorder.has_news():
            try:
                self._recorder.flush()
            except StoreGoneError:
                raise
            except StoreError:
                if clock.monotonic() > give_up:
                    raise
                clock.pause(_PAUSE)


def interrupted(jobs: list[Job]) -> str:
    """Return the sentence that says which runs Ctrl-C has ended."""
    shown = [f"run {job.run_id} of {job.task}" for job in jobs[:_MOST_NAMED]]
    more = len(jobs) - len(shown)
    if not shown:
        return "Ctrl-C: no run was under way"
    return f"Ctrl-C ended {', '.join(shown)}{f' and {more} more' if more else ''}"
