"""One child under supervision: what it printed, when its time is up, and how it ended."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from datetime import datetime

from runner.execution import processes
from runner.execution.child import NOT_STARTED
from runner.execution.job import Job
from runner.execution.output import Capture
from runner.execution.report import Report, decode
from runner.model.run import Ending
from runner.model.words import FAILED, SUCCEEDED, TIMED_OUT
from runner.schedule.duration import format_duration

_LARGEST_REPORT = 65_536
_LONGEST_REASON = 200


@dataclass(slots=True)
class Attempt:
    """`output` and `report` are the reading ends of the child's pipes; `watch` becomes readable when it ends, where that exists."""

    job: Job
    pid: int
    watch: int | None
    output: int | None
    report: int
    started_at: datetime
    started: float
    capture: Capture = field(default_factory=Capture)
    orphans: set[int] = field(default_factory=set)
    _exit: int | None = None
    _status: str | None = None
    _reason: str | None = None
    _kill_at: float | None = None

    def has_exited(self) -> bool:
        """Return whether the child itself has ended; waits for nothing."""
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._exit = status if pid else None
        return self._exit is not None

    def is_in_grace(self, monotonic: float) -> bool:
        """Return whether processes that the child left behind still have time to end by themselves: after TERM only."""
        return self._kill_at is not None and monotonic < self._kill_at and bool(self.orphans)

    def due_in(self, monotonic: float) -> float:
        """Return in how many seconds `enforce` has something to do; never less than none."""
        limit = self._kill_at if self._kill_at is not None else self.started + self.job.task.timeout.total_seconds()
        return max(0.0, limit - monotonic)

    def enforce(self, monotonic: float) -> None:
        """Ask the whole tree to end where its time is up, and kill it where it has had its grace."""
        if self.due_in(monotonic) > 0:
            return
        if self._kill_at is None:
            timeout = format_duration(self.job.task.timeout)
            self.end_early(TIMED_OUT, f"timed out after {timeout}", monotonic)
        else:
            processes.kill_tree(self.pid)
            # Should anything be left, it is killed again; a process that hangs in the kernel dies when it comes out.
            self._kill_at = monotonic + 0.1

    def end_early(self, status: str, reason: str, monotonic: float) -> None:
        """Ask the whole tree to end, once; it has `kill_grace` to do so."""
        if self._kill_at is None:
            self._status, self._reason = status, reason
            self._kill_at = monotonic + self.job.task.kill_grace.total_seconds()
            processes.signal_tree(self.pid, signal.SIGTERM)

    def ending(self, finished_at: datetime) -> Ending:
        """Return how the attempt ended; closes the report."""
        code, number = None, None
        status = self._exit or 0
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
        else:
            code = os.WEXITSTATUS(status)
        told = self._told()
        return Ending(
            status=self._status or (SUCCEEDED if code == 0 else FAILED),
            started_at=self.started_at,
            finished_at=finished_at,
            reason=self._reason or _reason(code, number, told),
            exit_code=code,
            signal=number,
            error=told.error if told is not None else None,
            traceback=told.traceback if told is not None else None,
            output=self.capture.kept(),
            output_dropped_bytes=self.capture.dropped,
        )

    def _told(self) -> Report | None:
        os.set_blocking(self.report, False)
        try:
            return decode(os.read(self.report, _LARGEST_REPORT))
        except BlockingIOError:
            return None  # a daemon that nobody could reach still holds the pipe
        finally:
            os.close(self.report)


def _reason(code: int | None, number: int | None, told: Report | None) -> str | None:
    if number is not None:
        return f"killed by signal {number} ({_signal_name(number)})"
    if told is not None:
        first_line = told.error.message.partition("\n")[0][:_LONGEST_REASON]
        what = f"{told.error.type}: {first_line}" if first_line else told.error.type
        return f"could not be started: {what}" if code == NOT_STARTED else what
    return f"exit code {code}" if code else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "no name"
