"""The decider's end of the pipes to the launcher: an executor that sends orders and receives events."""

from __future__ import annotations

import select
import signal
from collections import deque

from runner.clock import from_micros
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.serialization import pack_job, unpack_result
from runner.execution.supervising.events import Ended, Printed, Refused, Started
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import NEWS, REASONS, Signals
from runner.model.job import Job

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Self

    from runner.execution.launcher.messages import Message
    from runner.execution.supervising.events import Event

#: Seconds of the longest wait.
_LONGEST_WAIT = 3_600.0
#: Seconds of the longest wait while a pipe is full.
_PAUSE = 0.02


class LauncherClient:
    """An executor whose jobs the launcher starts. The launcher ends them if this process dies."""

    def __init__(
        self,
        events: Receiver,
        orders: Sender,
        environment: RunEnvironment,
        secrets_file: str | None,
        *,
        tells_output: bool = False,
    ) -> None:
        self._receiver = events
        self._sender = orders
        self._opening = (environment.root, environment.state, environment.store_id, secrets_file, tells_output)
        self._jobs: dict[int, Job] = {}
        self._found: deque[Event] = deque()
        self._poll = select.poll()
        self._poll.register(events.descriptor, select.POLLIN)
        self.signals = Signals()
        #: Whether the launcher has died, and with it everything that it had started.
        self.is_lost = False

    def __enter__(self) -> Self:
        # The launcher gets the signals that are sent to a tick, and reports them here.
        for number in (*REASONS, NEWS):
            signal.signal(number, signal.SIG_IGN)
        self._send("open", *self._opening)
        return self

    def __exit__(self, *error: object) -> None:
        self._send("close")
        while self._sender.is_behind() and not self.is_lost:
            self.wait(_PAUSE)

    def start(self, job: Job) -> None:
        """Order the launcher to start a job. `wait` returns whether it was started, and later how it ended."""
        self._jobs[job.run_id] = job
        self._send("start", pack_job(job))

    def end(self, run_id: int, reason: str) -> None:
        """Order the launcher to end a run as cancelled, if it still runs."""
        self._send("end", run_id, reason)

    def end_all(self, reason: str) -> None:
        """Order the launcher to end all runs as cancelled."""
        self._send("end_all", reason)

    def wait(self, longest: float) -> list[Event]:
        """Return the events that have come; wait at most `longest` seconds. None come once the launcher has died."""
        if self._sender.is_behind():
            self._flush()
            longest = min(longest, _PAUSE)
        if not self.is_lost and self._poll.poll(int(min(longest, _LONGEST_WAIT) * 1000) + 1):
            for message in self._receiver.receive():
                self._take(message)
            self.is_lost = self._receiver.is_closed
        events = list(self._found)
        self._found.clear()
        return events

    def _take(self, message: Message) -> None:
        kind, *values = message
        if kind == "signals":
            self.signals.stopped_by, self.signals.times, has_news = values
            self.signals.news = self.signals.news or has_news
            return
        job = self._jobs[values[0]]
        if kind == "started":
            self._found.append(Started(job, from_micros(values[1])))
            return
        if kind == "printed":
            self._found.append(Printed(job, values[1]))
            return
        del self._jobs[job.run_id]
        if kind == "ended":
            self._found.append(Ended(job, unpack_result(values[1]), values[2]))
        else:
            self._found.append(Refused(job, values[1]))

    def _send(self, *message: object) -> None:
        try:
            self._sender.send(*message)
        except BrokenPipeError:
            self.is_lost = True

    def _flush(self) -> None:
        try:
            self._sender.flush()
        except BrokenPipeError:
            self.is_lost = True
