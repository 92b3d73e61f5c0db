"""The tick's children: started as places allow, read from as they print, ended in time, and gone with all that is theirs."""

from __future__ import annotations

import os
import select
import signal
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from runner import clock
from runner.execution import child, processes
from runner.execution.attempt import Attempt
from runner.execution.job import Job
from runner.execution.places import Places
from runner.execution.workshop import Workshop, remove_folder
from runner.model.run import Ending
from runner.model.words import CANCELLED, FAILED

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

#: Signals that end everything that runs, and what is then said of the runs.
_REASONS: dict[int, str] = {
    signal.SIGTERM: "runner was asked to end",
    signal.SIGHUP: "the terminal is gone",
    signal.SIGINT: "Ctrl-C",
}
_CHUNK = 65_536
#: Milliseconds: how often children are asked for where no descriptor tells, and places that other ticks hold.
_ASK = 20
_WAIT_FOR_PLACE = 100
#: How long the pool waits after news before it says that nothing more has come.
_LULL = 50
#: What is still in the pipe after the end fits into so many pieces; somebody out of reach may go on writing.
_MOST_CHUNKS = 64


@dataclass(frozen=True, slots=True)
class Started:
    """A child has been started."""

    job: Job
    at: datetime


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over, and nothing of it is left running."""

    job: Job
    ending: Ending


class Pool:
    """Runs jobs. `show` is given what they print, as it comes."""

    def __init__(self, workshop: Workshop, places: Places, show: Callable[[bytes], None] | None = None) -> None:
        self._workshop = workshop
        self._places = places
        self._show = show
        self._attempts: dict[int, Attempt] = {}
        self._descriptors: dict[int, Attempt] = {}
        self._poll = select.poll()
        self._free = 0
        self._spare: list[str] = []
        self._foreign = processes.children()
        #: The signal that has ended everything before its time, if one has.
        self.stopped_by: int | None = None

    def run(self, waiting: deque[Job]) -> Iterator[Started | Ended | None]:
        """Run the jobs to their end; yield what happens, and None whenever nothing has for a moment. Empties the queue."""
        processes.adopt_orphans()
        # Everything that the first compile loads is then there in every child.
        compile("0", "<warm>", "exec")
        wake = self._catch_signals()
        try:
            ended: list[Ended] = []
            while waiting or self._attempts:
                if self.stopped_by is not None:
                    yield from self._abandon(waiting, _REASONS[self.stopped_by])
                    if not self._attempts:
                        break
                begun = []
                while waiting and self._has_place():
                    begun.append(self._start(waiting.popleft()))
                yield from begun
                self._wait(news=bool(begun or ended), wanting=bool(waiting))
                ended = self._collect()
                yield from ended or (None,)
                self._give_back(keep=bool(waiting))
        finally:
            self._end_everything()
            wake()

    def _has_place(self) -> bool:
        if not self._free and self._places.take():
            self._free += 1
        return self._free > 0

    def _give_back(self, *, keep: bool) -> None:
        while self._free and not keep:
            self._places.release()
            self._free -= 1

    def _start(self, job: Job) -> Started | Ended:
        started_at = clock.now()
        try:
            attempt = self._fork(job, started_at)
        except OSError as error:  # no process, no descriptor: the machine is at its limits
            reason = f"could not be started: {error.strerror}"
            return Ended(job, Ending(FAILED, started_at, clock.now(), reason))
        self._free -= 1
        self._attempts[attempt.pid] = attempt
        for descriptor in (attempt.output, attempt.watch):
            if descriptor is not None:
                self._descriptors[descriptor] = attempt
                self._poll.register(descriptor, select.POLLIN)
        return Started(job, started_at)

    def _fork(self, job: Job, started_at: datetime) -> Attempt:
        output, output_end = os.pipe()
        report, report_end = os.pipe()
        parent = os.getpid()
        folder = self._spare.pop() if self._spare else None
        # Until the child has its own handlers, none of these may find those of the tick in it.
        old = signal.pthread_sigmask(signal.SIG_BLOCK, _REASONS)
        try:
            pid = os.fork()
            if pid == 0:
                child.live(job, self._workshop, parent, folder, output_end, report_end)
        except OSError:
            os.close(output)
            os.close(report)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
            os.close(output_end)
            os.close(report_end)
        os.set_blocking(output, False)
        return Attempt(job, pid, processes.watch(pid), output, report, started_at, clock.monotonic())

    def _wait(self, *, news: bool, wanting: bool) -> None:
        """Wait until something happens or some time limit has come, and read what has been printed."""
        limits = [attempt.due_in(clock.monotonic()) for attempt in self._attempts.values()]
        timeout = min([3_600_000, *(int(limit * 1000) + 1 for limit in limits)])
        if news:
            timeout = min(timeout, _LULL)
        if wanting and not self._free:
            timeout = min(timeout, _WAIT_FOR_PLACE)
        if any(attempt.watch is None for attempt in self._attempts.values()):
            timeout = min(timeout, _ASK)  # no descriptor tells of its end, or of that of its orphans
        for descriptor, _ in self._poll.poll(timeout):
            attempt = self._descriptors.get(descriptor)
            if attempt is None:
                os.read(descriptor, _CHUNK)  # a signal has come; its handler has said what it had to say
            elif descriptor == attempt.output:
                self._read(attempt)

    def _read(self, attempt: Attempt) -> bool:
        """Take what has been printed, one piece; return whether there may be more."""
        if attempt.output is None:
            return False
        try:
            data = os.read(attempt.output, _CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._forget(attempt.output)
            os.close(attempt.output)
            attempt.output = None
            return False
        attempt.capture.feed(data)
        if self._show is not None:
            self._show(data)
        return True

    def _collect(self) -> list[Ended]:
        """End what has run out of time; return the attempts that are over."""
        over = []
        for attempt in list(self._attempts.values()):
            if not attempt.has_exited():
                attempt.enforce(clock.monotonic())
                continue
            self._unwatch(attempt)
            attempt.orphans = self._left_by(attempt)
            if not attempt.is_in_grace(clock.monotonic()):
                over.append(self._finish(attempt))
        return over

    def _left_by(self, attempt: Attempt) -> set[int]:
        """Return what an attempt has left running, which has ended: children of this process now."""
        others = [other for other in self._attempts.values() if other is not attempt]
        known = self._foreign.union({other.pid for other in others}, *(other.orphans for other in others))
        return processes.left_by(attempt.pid, known, [self._workshop.mark(other.job.run_id) for other in others])

    def _unwatch(self, attempt: Attempt) -> None:
        if attempt.watch is not None:
            self._forget(attempt.watch)
            os.close(attempt.watch)
            attempt.watch = None

    def _finish(self, attempt: Attempt) -> Ended:
        processes.end_all(lambda: self._left_by(attempt))
        del self._attempts[attempt.pid]
        self._free += 1
        for _ in range(_MOST_CHUNKS):
            if not self._read(attempt):
                break
        if attempt.output is not None:
            self._forget(attempt.output)
            os.close(attempt.output)
        self._put_away(attempt)
        return Ended(attempt.job, attempt.ending(clock.now()))

    def _put_away(self, attempt: Attempt) -> None:
        """Keep the private folder of a child for another one if nothing is in it; making folders costs more than running."""
        folder = self._workshop.folder(attempt.job.run_id, attempt.job.attempt, attempt.pid)
        spare = self._workshop.spare_folder(attempt.pid)
        try:
            os.rename(folder, spare)
            is_empty = not os.listdir(spare)
        except OSError:
            is_empty = False
        if is_empty:
            self._spare.append(spare)
        else:
            remove_folder(spare)
            remove_folder(folder)

    def _forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        del self._descriptors[descriptor]

    def _abandon(self, waiting: deque[Job], reason: str) -> Iterator[Ended]:
        """End what runs, and what never ran."""
        for attempt in self._attempts.values():
            attempt.end_early(CANCELLED, reason, clock.monotonic())
        while waiting:
            now = clock.now()
            yield Ended(waiting.popleft(), Ending(CANCELLED, now, now, f"{reason} before it was started"))

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = number

    def _end_everything(self) -> None:
        """Leave nothing behind, whatever has happened to the tick."""
        for attempt in self._attempts.values():
            if not attempt.has_exited():
                processes.kill_tree(attempt.pid)
                os.waitpid(attempt.pid, 0)
            processes.end_all(lambda leader=attempt.pid: processes.left_by(leader, self._foreign, []))  # type: ignore[misc]
        for folder in self._spare:
            remove_folder(folder)

    def _catch_signals(self) -> Callable[[], None]:
        """Let TERM, HUP and INT stop the pool; return what puts everything back."""
        readable, writable = os.pipe()
        os.set_blocking(writable, False)
        self._poll.register(readable, select.POLLIN)
        old = {number: signal.signal(number, self._stop) for number in _REASONS}
        # Where the caller ignores it, the kernel would reap children before anybody can ask how they ended.
        old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        old_wakeup = signal.set_wakeup_fd(writable)

        def put_back() -> None:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old.items():
                signal.signal(number, handler)
            os.close(readable)
            os.close(writable)

        return put_back
