"""One attempt: its child process, its captured output, its time limit and its result."""

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

    from runner.execution.learning.observer import Observer
    from runner.execution.supervising.masking import Masker
    from runner.execution.system.cgroups import Group

_LARGEST_REPORT = 65_536
_LONGEST_REASON = 200
#: Seconds after which output is also written to a live file. Most attempts take less time, and need none.
_LIVE_AFTER = 0.5


class Attempt:
    """One child process, from its fork until its result is known.

    `output` and `report` are the reading ends of pipes: for the child's output and for its end message. `watch` is a
    descriptor that becomes readable when the child ends; None where the system has none. `show` is called with each
    piece of masked output. `observer` observes a child that learns.
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
        "observer",
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
        self.observer: Observer | None = None
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
        """Mask and keep a piece of the child's output."""
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
        """Return the path of the live file; None where the attempt was too short to have one."""
        return None if self._live is None else self._live_file

    def go_live(self, monotonic: float) -> float:
        """Open the live file once the attempt is old enough; return the seconds until then, infinity after that."""
        if self._live is not None:
            return float("inf")
        wait = self.started + _LIVE_AFTER - monotonic
        if wait > 0:
            return wait
        self._live = LiveFile(self._live_file)
        self._live.write(self.capture.kept())
        return float("inf")

    def has_exited(self) -> bool:
        """Return whether the child itself has ended, without waiting."""
        if self._exit is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._exit, self._usage = status, usage.ru_utime + usage.ru_stime
        return self._exit is not None

    def is_in_grace(self, monotonic: float) -> bool:
        """Return whether processes that the child has left behind may still end by themselves, after SIGTERM."""
        return self._kill_at is not None and monotonic < self._kill_at and bool(self.orphans)

    def seconds_left(self, monotonic: float) -> float:
        """Return the seconds until `enforce` has something to do, never less than 0."""
        limit = self._kill_at if self._kill_at is not None else self.started + self.job.timeout.total_seconds()
        return max(0.0, limit - monotonic)

    def enforce(self, monotonic: float) -> None:
        """Send SIGTERM to the child and its descendants when the time limit has passed, SIGKILL after `kill_grace`."""
        if self.seconds_left(monotonic) > 0:
            return
        if self._kill_at is None:
            timeout = format_duration(self.job.timeout)
            self.end_early(TIMED_OUT, f"timed out after {timeout}", monotonic)
        else:
            self._kill()
            # What is left after that is killed again. A process that waits in the kernel dies once the wait ends.
            self._kill_at = monotonic + 0.1

    def end_early(self, status: str, reason: str, monotonic: float) -> None:
        """Send SIGTERM to the child and its descendants, once. After `kill_grace`, `enforce` kills them."""
        if self._kill_at is None:
            self._status, self._reason = status, reason
            self._kill_at = monotonic + self.job.kill_grace.total_seconds()
            processes.signal_tree(self.pid, signal.SIGTERM)

    def end_at_limit(self, name: str, monotonic: float) -> None:
        """Kill the child and its descendants at once, because they use more than the limit `name`.

        Memory must be over the limit in two measurements: after vfork(2), a process and its new child share their
        memory for a moment, and it is counted twice.
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

    def result(self, finished_at: datetime) -> AttemptResult:
        """Return how the attempt ended. Closes the live file and the pipe of the end message."""
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
        message = self._read_end_message()
        if message is not None and message.exit_code is not None and kept_by_kernel(message.exit_code) == code:
            code = message.exit_code
        limit_reason = self._limit_reason(number, message)
        return AttemptResult(
            self._status or (SUCCEEDED if code == 0 and limit_reason is None else FAILED),
            self.started_at,
            finished_at,
            self._reason or limit_reason or _reason(code, number, message),
            exit_code=code,
            signal=number,
            error=message.error if message is not None else None,
            traceback=(message.traceback or None) if message is not None and message.error is not None else None,
            output=self.capture.kept(),
            output_dropped_bytes=self.capture.dropped,
            rehearsal=message.rehearsal if message is not None else "",
            touched=() if self.observer is None else tuple(self.observer.touched),
        )

    def _limit_reason(self, number: int | None, message: EndMessage | None) -> str | None:
        """Return the reason where a limit that the kernel enforces has ended the attempt; None otherwise."""
        limits = self.job.limits
        if self.group is not None and limits.memory is not None and self.group.is_out_of_memory():
            return f"over its limit {limits.in_words('memory')}"
        if self.group is not None and limits.processes is not None and self.group.is_out_of_processes():
            return f"over its limit {limits.in_words('processes')}"
        if limits.cpu is not None and (number == signal.SIGXCPU or self._cpu() > limits.cpu.total_seconds()):
            return f"over its limit {limits.in_words('cpu')}"
        if number == signal.SIGXFSZ and limits.file_size is not None:
            return f"over its limit {limits.in_words('file_size')}"
        if message is None or message.error is None or not message.limit:
            return None
        return f"over its limit {limits.in_words(message.limit)}: {_in_one_line(message.error)}"

    def _cpu(self) -> float:
        """Return the CPU seconds of the child and its descendants; without a control group, only of reaped ones."""
        return max(self._usage, 0.0 if self.group is None else self.group.cpu())

    def _read_end_message(self) -> EndMessage | None:
        os.set_blocking(self.report, False)
        try:
            return decode(os.read(self.report, _LARGEST_REPORT))
        except BlockingIOError:
            return None  # a process that could not be killed has the other end of the pipe open
        finally:
            os.close(self.report)


def _reason(code: int | None, number: int | None, message: EndMessage | None) -> str | None:
    if number is not None:
        return f"killed by signal {number} ({_signal_name(number)})"
    if message is not None and message.error is not None:
        words = _in_one_line(message.error)
        return words if message.has_begun else f"could not be started: {words}"
    return f"exit code {code}" if code else None


def _in_one_line(error: RunError) -> str:
    if error.type == EXIT:
        return error.message.strip().partition("\n")[0][:_LONGEST_REASON]
    first_line = error.message.partition("\n")[0][:_LONGEST_REASON]
    return f"{error.type}: {first_line}" if first_line else error.type


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        return "no name"
