"""The launcher of a tick, as its decider sees it: an executor at the other end of two pipes."""

from __future__ import annotations

import select
import signal
from collections import deque

from runner.clock import from_micros
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.serialization import pack_job, unpack_ending
from runner.execution.supervising.events import Ended, Printed, Refused, Started
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import NEWS, REASONS, Signals
from runner.model.job import Job

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Self

    from runner.execution.launcher.messages import Message
    from runner.execution.supervising.events import Event

#: Seconds: the longest wait, and the wait where a pipe is full.
_FOR_EVER = 3_600.0
_SOON = 0.02


class LauncherClient:
    """Jobs are started by another process, which ends them should this one die."""

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
        #: Whether the other process is gone, and all that it had started with it.
        self.is_lost = False

    def __enter__(self) -> Self:
        # Whoever sends these to a tick means the process that has started it, which passes them on.
        for number in (*REASONS, NEWS):
            signal.signal(number, signal.SIG_IGN)
        self._send("open", *self._opening)
        return self

    def __exit__(self, *error: object) -> None:
        self._send("close")
        while self._sender.is_behind() and not self.is_lost:
            self.wait(_SOON)

    def start(self, job: Job) -> None:
        """Have a job started; `wait` returns what has become of it."""
        self._jobs[job.run_id] = job
        self._send("start", pack_job(job))

    def end(self, run_id: int, reason: str) -> None:
        """Ask a run to end, as cancelled, if it is there."""
        self._send("end", run_id, reason)

    def end_all(self, reason: str) -> None:
        """Ask everything to end, as cancelled."""
        self._send("end_all", reason)

    def wait(self, longest: float) -> list[Event]:
        """Return what has happened; wait for that for so many seconds at most. Nothing more comes once the launcher is gone."""
        if self._sender.is_behind():
            self._flush()
            longest = min(longest, _SOON)
        if not self.is_lost and self._poll.poll(int(min(longest, _FOR_EVER) * 1000) + 1):
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
            self._found.append(Ended(job, unpack_ending(values[1]), values[2]))
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
