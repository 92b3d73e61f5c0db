"""Run the waiting runs, the longest-waiting first, and record what happens to them."""

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
from runner.operations.ticking.context_slots import ContextSlots
from runner.operations.ticking.recorder import Recorder
from runner.operations.ticking.run_files import Files
from runner.operations.ticking.task_filter import SandboxMissingError, with_filter
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

#: Seconds for which events are kept in memory at the end, while the disk is full or the database is locked.
_RECORD_FOR = 60.0
_PAUSE = 1.0
#: Seconds to wait for more events before those that have come are recorded.
_MORE_EVENTS = 0.05
#: Seconds between two tries to get a concurrency slot, and until a taken run without one goes back into the queue.
_SLOT_PAUSE = 0.1
_RETURN_AFTER = 0.3
#: Seconds between two looks at the store for requests to end a run that come without a signal.
_POLL_PAUSE = 2.0
#: Seconds that a tick waits for a concurrency slot. After that, the tick of the next minute waits for it.
_WAIT_FOR_SLOT = 60.0
#: How many runs the sentence about Ctrl-C names.
_MOST_NAMED = 5


class Supervisor:
    """Gives jobs to an executor, and records their events.

    Errors of the database do not affect attempts under way: recording is tried again, at the end for a minute.
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
        """Take the callbacks, too: `waits` is called once, when a job has to wait for a concurrency slot.

        `meanwhile` is called when the first jobs have been started. `watch` receives every event.
        """
        self._run_settings = run_settings
        self._now = now
        self._began = clock.monotonic()
        self._executor = executor
        self._root, self._state = workspace.root, workspace.state
        self._slots = Slots(f"{workspace.state}/slots", run_settings.max_parallel)
        self._free = 0
        self._context_slots = ContextSlots(workspace.state, run_settings)
        self._files = Files(
            workspace,
            run_settings.files,
            run_settings.accepted,
            RunEnvironment(workspace.root, workspace.state, run_settings.store_id).unfinished_checkout(owner),
        )
        self._file_id = file_id(workspace.database)
        self._recorder = Recorder(workspace.database, self._file_id, owner)
        self._owner = owner
        self._database = workspace.database
        self._jobs: deque[Job] = deque()
        self._under_way: set[int] = set()
        self._waiting: WaitingRuns | None = None
        self._taken: list[int] = []
        self._missed: list[int] = []
        self._asked_to_end: set[int] = set()
        self._interrupted: list[Job] = []
        self._next_poll_at = self._began + _POLL_PAUSE
        self._no_slot_since: float | None = None
        self._waits = waits
        self._meanwhile = meanwhile
        self._watch = watch
        self._grace_ends: float | None = None
        #: The error after which nothing more is started; and the error of the last take, which recording may clear.
        self._error: StoreError | None = None
        self._take_error: StoreError | None = None

    def run(self, *jobs: Job) -> None:
        """Run jobs that are owned already, and nothing else. Raises the errors that `run_waiting` raises."""
        self._jobs.extend(jobs)
        self._work()

    def run_waiting(self, only: frozenset[str] | None = None) -> tuple[list[int], list[int]]:
        """Run the waiting runs, only those of the tasks in `only` where it is given.

        Return the ids of the runs that were taken, and of those that were too late. Runs whose time comes before the
        next minute are waited for; after that, there is another tick. Raises StoreError; KeyboardInterrupt on Ctrl-C
        and RunnerError on TERM, once all attempts have ended and are on record.
        """
        self._waiting = WaitingRuns(self._database, self._file_id, self._owner, only, self._now)
        self._work()
        return self._taken, self._missed

    def _work(self) -> None:
        with self._executor:
            self._start_jobs()
            self._meanwhile()
            while not self._is_over():
                self._wait()
                self._start_jobs()
            self._end_all()
            self._record_all()
        self._release_slots()
        self._raise_stop_reason()

    def _raise_stop_reason(self) -> None:
        """Raise the error for what has stopped the work early, if anything has."""
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
        error = self._error or self._take_error
        if error is not None:
            raise error

    def _present(self) -> datetime:
        """Return the present: the `now` of the constructor plus the time since then on the monotonic clock."""
        return self._now + timedelta(seconds=clock.monotonic() - self._began)

    def _is_over(self) -> bool:
        if self._executor.is_lost:
            return True
        if self._executor.signals.stopped_by is not None:
            return self._is_stopped()
        if self._under_way or (self._jobs and self._waiting is None):
            return False
        if self._error is not None or self._take_error is not None:
            return True
        if self._waiting is not None and self._recorder.has_news():
            self._flush()  # a run that has failed may be retried within the minute
        if self._waits_longer_than(_WAIT_FOR_SLOT):
            return True
        minute_ends = self._now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return not self._jobs and (self._waiting is None or not self._waiting.comes_before(minute_ends))

    def _is_stopped(self) -> bool:
        """Return whether the attempts under way have had their grace period after a signal.

        There is no grace period after Ctrl-C or a second signal.
        """
        signals = self._executor.signals
        if self._grace_ends is None:
            self._grace_ends = clock.monotonic() + self._run_settings.shutdown_grace.total_seconds()
            self._return_jobs()
        is_urgent = signals.stopped_by == signal.SIGINT or signals.times > 1
        return is_urgent or not self._under_way or clock.monotonic() >= self._grace_ends

    def _start_jobs(self) -> None:
        if self._executor.signals.stopped_by is not None:
            return
        while self._jobs or self._may_take():
            if not self._has_slot():
                self._no_slot_since = self._no_slot_since or clock.monotonic()
                self._return_waiting_jobs()
                self._report_wait()
                return
            self._no_slot_since = None
            if not self._jobs and not self._take():
                break
            if self._has_context_slot(self._jobs[0]):
                self._start(self._jobs.popleft())
            elif self._waiting is not None:
                self._recorder.release(self._jobs.popleft())
            else:
                self._release_slots()
                self._no_slot_since = clock.monotonic()
                self._report_wait()
                return
        self._no_slot_since = None
        self._release_slots()

    def _has_slot(self) -> bool:
        """Return whether a job can be started now; take a concurrency slot for it where one is free."""
        try:
            if not self._free and self._slots.take():
                self._free += 1
        except OSError as error:
            self._stop_taking(f"no concurrency slot can be taken: {error.filename}: {error.strerror}")
            return False
        return self._free > 0

    def _has_context_slot(self, job: Job) -> bool:
        """Return whether the context of a job, if it has one, has a free slot, which the job then has."""
        try:
            return self._context_slots.take(job)
        except OSError as error:
            self._stop_taking(f"no concurrency slot can be taken: {error.filename}: {error.strerror}")
            return False

    def _release_slots(self) -> None:
        """Release the concurrency slots for which there is no job to start."""
        while self._free:
            self._slots.release()
            self._free -= 1

    def _stop_taking(self, why: str) -> None:
        """Start nothing more. Attempts under way continue."""
        hint = "check that the state folder is writable and the disk has free space; the next tick tries again"
        self._error = StoreError(why, hint)
        self._return_jobs()

    def _return_waiting_jobs(self) -> None:
        """Return jobs that have waited too long for a concurrency slot to the queue: another tick may have one."""
        if self._jobs and self._waiting is not None and self._waits_longer_than(_RETURN_AFTER):
            self._return_jobs()
            self._waiting.slow_down()

    def _report_wait(self) -> None:
        waits, self._waits = self._waits, None
        if self._jobs and waits is not None:
            waits()

    def _waits_longer_than(self, seconds: float) -> bool:
        return self._no_slot_since is not None and clock.monotonic() - self._no_slot_since > seconds

    def _may_take(self) -> bool:
        if self._waiting is None or self._error is not None or self._take_error is not None:
            return False
        return self._waiting.may_take(self._present())

    def _take(self) -> bool:
        assert self._waiting is not None  # noqa: S101 - `_may_take` has checked it
        now = self._present()
        try:
            taken = self._waiting.take(now, self._context_slots.room())
        except OSError as error:
            self._stop_taking(f"no concurrency slot can be taken: {error.filename}: {error.strerror}")
            return False
        except StoreError as error:
            # Attempts under way continue, and the ends of attempts are to be recorded first.
            if not self._under_way:
                self._take_error = error
            self._waiting.look_later(now)
            return False
        self._jobs.extend(taken.jobs)
        self._taken += [job.run_id for job in taken.jobs]
        self._missed += taken.missed
        if self._watch is not None:
            self._watch.decided(taken.missed)
        return bool(taken.jobs)

    def _start(self, job: Job) -> None:
        """Start a job with the files of its commit. Where git cannot read them, the run fails."""
        self._free -= 1
        self._under_way.add(job.run_id)
        try:
            self._executor.start(with_filter(self._files.with_files(job), self._root, self._state))
        except SandboxMissingError as error:
            self._note([Ended(job, AttemptResult(FAILED, None, clock.now(), str(error)))])
        except GitError as error:
            reason = f"the files of commit {job.commit[:SHORT]} cannot be read: {error.message}"
            self._note([Ended(job, AttemptResult(FAILED, None, clock.now(), reason))])
        except OSError as error:
            self._note([Refused(job, f"the files of its commit cannot be written: {error.strerror}")])
        if self._recorder.is_full():
            self._flush()

    def _wait(self) -> None:
        """Wait for events, note them, and record them when it is time to."""
        ended = self._note(self._executor.wait(self._longest_wait()))
        is_blocked = ended and self._waiting is not None and self._waiting.is_blocked
        is_quiet = self._recorder.has_news() and not ended
        if self._executor.signals.news or self._recorder.is_full() or is_blocked or is_quiet:
            self._flush()
        elif clock.monotonic() >= self._next_poll_at:
            self._poll_requests()

    def _poll_requests(self) -> None:
        """End the runs that are asked to end by a process that cannot send this one a signal.

        Such a process is in another container, or belongs to a user who may not signal this process.
        """
        self._next_poll_at = clock.monotonic() + _POLL_PAUSE
        try:
            with reading(self._database) as session:
                requests = asked_to_end(session, self._owner)
        except StoreError:
            return  # the next call asks again
        for run_id, reason in requests:
            if run_id not in self._asked_to_end:
                self._end(run_id, reason)

    def _note(self, events: list[Event], *, asked: bool = False) -> bool:
        """Note events for the recorder and the watch; return whether any attempt has ended or was refused."""
        for event in events:
            if isinstance(event, Started):
                self._record(event)
                continue
            if isinstance(event, Printed):
                if self._watch is not None:
                    self._watch.printed(event)
                continue
            self._under_way.discard(event.job.run_id)
            self._context_slots.release(event.job)
            self._free += 1
            if isinstance(event, Ended):
                self._record(event, asked=asked or event.job.run_id in self._asked_to_end)
            else:
                self._refuse(event)
        return not all(isinstance(event, (Started, Printed)) for event in events)

    def _record(self, event: Started | Ended, *, asked: bool = False) -> None:
        self._recorder.note(event, asked=asked)
        if self._watch is not None:
            self._watch.happened(event, asked=asked)

    def _refuse(self, refused: Refused) -> None:
        self._stop_taking(f"no attempt can be started: {refused.why}")
        if self._waiting is not None:
            self._recorder.release(refused.job)
        else:
            self._cannot_start(refused.job)

    def _longest_wait(self) -> float:
        longest = _MORE_EVENTS if self._recorder.has_news() else max(0.0, self._next_poll_at - clock.monotonic())
        if self._executor.signals.news:
            longest = _PAUSE
        if self._no_slot_since is not None:
            longest = min(longest, _SLOT_PAUSE)
        elif self._waiting is not None:
            longest = min(longest, self._waiting.seconds_left(self._present()))
        if self._grace_ends is not None:
            longest = min(longest, max(0.0, self._grace_ends - clock.monotonic()))
        return longest

    def _flush(self) -> None:
        self._executor.signals.news = False
        try:
            requests = self._recorder.flush()
        except StoreGoneError as error:
            self._error = error
            return
        except StoreError:
            self._executor.signals.news = True  # the events are kept, and recording is tried again
            return
        if self._waiting is not None:
            self._waiting.look_again(self._present())
        for run_id, reason in requests:
            self._end(run_id, reason)

    def _end(self, run_id: int, reason: str) -> None:
        """End an owned run because a person or another run asks for it."""
        self._asked_to_end.add(run_id)
        self._executor.end(run_id, reason)
        for job in [job for job in self._jobs if job.run_id == run_id]:
            self._jobs.remove(job)
            self._record_unstarted(job, reason)

    def _record_unstarted(self, job: Job, reason: str) -> None:
        self._record(Ended(job, AttemptResult(CANCELLED, None, clock.now(), reason)), asked=True)

    def _return_jobs(self) -> None:
        """Return taken jobs that were not started to the queue; end those that no other owner may take."""
        while self._jobs:
            job = self._jobs.popleft()
            if self._waiting is not None:
                self._recorder.release(job)
            else:
                self._cannot_start(job)

    def _cannot_start(self, job: Job) -> None:
        if self._error is None:
            self._interrupted.append(job)
            self._record_unstarted(job, f"{self._reason()} before it was started")
            return
        reason = f"could not be started: {self._error.message}"
        self._record(Ended(job, AttemptResult(FAILED, None, clock.now(), reason)))

    def _reason(self) -> str:
        return REASONS[self._executor.signals.stopped_by or signal.SIGTERM]

    def _end_all(self) -> None:
        """End the attempts that are still under way after a signal.

        Their retry policies apply, except after Ctrl-C.
        """
        self._return_jobs()
        self._executor.end_all(self._reason())
        while self._under_way and not self._executor.is_lost:
            asked = self._executor.signals.stopped_by == signal.SIGINT
            events = self._executor.wait(_PAUSE)
            self._interrupted += [e.job for e in events if isinstance(e, Ended) and e.result.status == CANCELLED]
            self._note(events, asked=asked)

    def _record_all(self) -> None:
        give_up = clock.monotonic() + _RECORD_FOR
        if self._recorder.has_news():
            self._take_error = None  # the error of the last take is over once events can be recorded
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
