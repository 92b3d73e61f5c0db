"""One child under supervision: what it printed, when its time is up, and how it ended."""

from __future__ import annotations

import os
import signal
from datetime import datetime

from runner.execution.child.end_message import EndMessage, decode, kept_by_kernel
from runner.execution.supervising.live_output import LiveFile
from runner.execution.supervising.output import Capture
from runner.execution.system import processes
from runner.model.attempt_result import EXIT, AttemptResult, RunError
from runner.model.job import Job
from runner.model.statuses import FAILED, SUCCEEDED, TIMED_OUT
from runner.schedule.duration import format_duration

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execution.supervising.masking import Masker
    from runner.execution.system.cgroups import Group

_LARGEST_REPORT = 65_536
_LONGEST_REASON = 200
#: Seconds after which the output of an attempt is also written to a file that others can follow: most never take as long.
_LIVE_AFTER = 0.5


class Attempt:
    """`output` and `report` are the reading ends of the child's pipes; `watch` becomes readable when it ends, where that exists.

    `show` is given what the child prints, as it comes.
    """

    __slots__ = (
        "_exit",
        "_kill_at",
        "_live",
        "_live_file",
        "_reason",
        "_seen_over",
        "_status",
        "_usage",
        "capture",
        "group",
        "job",
        "masker",
        "orphans",
        "output",
        "pid",
        "report",
        "show",
        "started",
        "started_at",
        "watch",
    )

    def __init__(
        self,
        job: Job,
        pid: int,
        output: int,
        report: int,
        started_at: datetime,
        started: float,
        live_file: str,
        masker: Masker | None,
        group: Group | None,
        show: Callable[[bytes], None] | None,
    ) -> None:
        self.job = job
        self.pid = pid
        self.watch = processes.watch(pid)
        self.output: int | None = output
        self.report = report
        self.started_at = started_at
        self.started = started
        self.masker = masker
        self.group = group
        self.show = show
        self.capture = Capture()
        self.orphans: set[int] = set()
        self._live_file = live_file
        self._live: LiveFile | None = None
        self._exit: int | None = None
        self._usage = 0.0
        self._status: str | None = None
        self._reason: str | None = None
        self._kill_at: float | None = None
        self._seen_over = False

    def take(self, data: bytes) -> None:
        """Take a piece of what the child has printed."""
        self._keep(data if self.masker is None else self.masker.feed(data))

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self.capture.feed(data)
        if self._live is not None:
            self._live.write(data)
        if self.show is not None:
            self.show(data)

    def live_file(self) -> str | None:
        """Return the file that others can follow, where the attempt has lasted long enough to have one."""
        return None if self._live is None else self._live_file

    def go_live(self, monotonic: float) -> float:
        """Let others follow the output once it has lasted a while; return in how many seconds that is, for ever once it is done."""
        if self._live is not None:
            return float("inf")
        wait = self.started + _LIVE_AFTER - monotonic
        if wait > 0:
            return wait
        self._live = LiveFile(self._live_file)
        self._live.write(self.capture.kept())
        return float("inf")

    def has_exited(self) -> bool:
        """Return whether the child itself has ended; waits for nothing."""
        if self._exit is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._exit, self._usage = status, usage.ru_utime + usage.ru_stime
        return self._exit is not None

    def is_in_grace(self, monotonic: float) -> bool:
        """Return whether processes that the child left behind still have time to end by themselves: after TERM only."""
        return self._kill_at is not None and monotonic < self._kill_at and bool(self.orphans)

    def due_in(self, monotonic: float) -> float:
        """Return in how many seconds `enforce` has something to do; never less than none."""
        limit = self._kill_at if self._kill_at is not None else self.started + self.job.timeout.total_seconds()
        return max(0.0, limit - monotonic)

    def enforce(self, monotonic: float) -> None:
        """Ask the whole tree to end where its time is up, and kill it where it has had its grace."""
        if self.due_in(monotonic) > 0:
            return
        if self._kill_at is None:
            timeout = format_duration(self.job.timeout)
            self.end_early(TIMED_OUT, f"timed out after {timeout}", monotonic)
        else:
            self._kill()
            # Should anything be left, it is killed again; a process that hangs in the kernel dies when it comes out.
            self._kill_at = monotonic + 0.1

    def end_early(self, status: str, reason: str, monotonic: float) -> None:
        """Ask the whole tree to end, once; it has `kill_grace` to do so."""
        if self._kill_at is None:
            self._status, self._reason = status, reason
            self._kill_at = monotonic + self.job.kill_grace.total_seconds()
            processes.signal_tree(self.pid, signal.SIGTERM)

    def end_at_limit(self, name: str, monotonic: float) -> None:
        """Kill the whole tree, which has used more than it may: there is no telling what it does with a grace.

        Memory has to be seen twice: a process and what it is just starting (vfork(2)) have the same, for a moment.
        """
        if name == "memory" and not self._seen_over:
            self._seen_over = True
            return
        if self._status is None:
            self._status, self._reason = FAILED, f"over its limit {self.job.limits.in_words(name)}"
        self._kill()
        self._kill_at = monotonic

    def _kill(self) -> None:
        processes.kill_tree(self.pid)
        if self.group is not None:
            self.group.kill()

    def ending(self, finished_at: datetime) -> AttemptResult:
        """Return how the attempt ended; closes the report and the file that others follow."""
        if self.masker is not None:
            self._keep(self.masker.flush())
        if self._live is not None:
            self._live.close()
        code, number = None, None
        status = self._exit or 0
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
        else:
            code = os.WEXITSTATUS(status)
        told = self._told()
        if told is not None and told.exit_code is not None and kept_by_kernel(told.exit_code) == code:
            code = told.exit_code
        at_limit = self._at_limit(number, told)
        return AttemptResult(
            self._status or (SUCCEEDED if code == 0 and at_limit is None else FAILED),
            self.started_at,
            finished_at,
            self._reason or at_limit or _reason(code, number, told),
            exit_code=code,
            signal=number,
            error=told.error if told is not None else None,
            traceback=(told.traceback or None) if told is not None and told.error is not None else None,
            output=self.capture.kept(),
            output_dropped_bytes=self.capture.dropped,
        )

    def _at_limit(self, number: int | None, told: EndMessage | None) -> str | None:
        """Return the reason of an ending that the kernel has brought about by a limit, or None."""
        limits = self.job.limits
        if self.group is not None and limits.memory is not None and self.group.is_out_of_memory():
            return f"over its limit {limits.in_words('memory')}"
        if self.group is not None and limits.processes is not None and self.group.is_out_of_processes():
            return f"over its limit {limits.in_words('processes')}"
        if limits.cpu is not None and (number == signal.SIGXCPU or self._cpu() > limits.cpu.total_seconds()):
            return f"over its limit {limits.in_words('cpu')}"
        if number == signal.SIGXFSZ and limits.file_size is not None:
            return f"over its limit {limits.in_words('file_size')}"
        if told is None or told.error is None or not told.limit:
            return None
        return f"over its limit {limits.in_words(told.limit)}: {_said(told.error)}"

    def _cpu(self) -> float:
        """Return the seconds on a processor that the tree has used; without a group, of those that were waited for."""
        return max(self._usage, 0.0 if self.group is None else self.group.cpu())

    def _told(self) -> EndMessage | None:
        os.set_blocking(self.report, False)
        try:
            return decode(os.read(self.report, _LARGEST_REPORT))
        except BlockingIOError:
            return None  # a daemon that nobody could reach still holds the pipe
        finally:
            os.close(self.report)


def _reason(code: int | None, number: int | None, told: EndMessage | None) -> str | None:
    if number is not None:
        return f"killed by signal {number} ({_signal_name(number)})"
    if told is not None and told.error is not None:
        return _said(told.error) if told.has_begun else f"could not be started: {_said(told.error)}"
    return f"exit code {code}" if code else None


def _said(error: RunError) -> str:
    if error.type == EXIT:
        return error.message.strip().partition("\n")[0][:_LONGEST_REASON]
    first_line = error.message.partition("\n")[0][:_LONGEST_REASON]
    return f"{error.type}: {first_line}" if first_line else error.type


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return "no name"
