"""This process's end of the pipes to a server with a pool: it sends orders and receives events."""

from __future__ import annotations

import select
import signal

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
PAUSE = 0.02


class PoolClient:
    """What this process tells a server in another process, and what that answers. The server ends if this one dies."""

    def __init__(self, events: Receiver, orders: Sender) -> None:
        self.descriptor = events.descriptor
        self.jobs: dict[int, Job] = {}
        self.signals = Signals()
        #: Whether the server has died, and with it everything that it had started.
        self.is_lost = False
        self._receiver = events
        self._sender = orders

    def start(self, job: Job) -> None:
        """Order the server to start a job. Messages say whether it was started, and later how it ended."""
        self.jobs[job.run_id] = job
        self.send("start", pack_job(job))

    def end(self, run_id: int, reason: str) -> None:
        """Order the server to end a run as cancelled, if it still runs."""
        self.send("end", run_id, reason)

    def end_all(self, reason: str) -> None:
        """Order the server to end all runs as cancelled."""
        self.send("end_all", reason)

    def send(self, *message: object) -> None:
        """Send a message, as much as fits into the pipe."""
        try:
            self._sender.send(*message)
        except BrokenPipeError:
            self.is_lost = True

    def is_behind(self) -> bool:
        """Return whether a part of the messages did not fit into the pipe."""
        return self._sender.is_behind() and not self.is_lost

    def flush(self) -> None:
        """Send more of what did not fit into the pipe."""
        try:
            self._sender.flush()
        except BrokenPipeError:
            self.is_lost = True

    def receive(self) -> list[Message]:
        """Return the messages that one read(2) completes; it may wait. None come once the server has died."""
        messages = self._receiver.receive()
        self.is_lost = self._receiver.is_closed
        return messages

    def event_of(self, message: Message) -> Event | None:
        """Return the event in a message; None for a message about signals."""
        kind, *values = message
        if kind == "signals":
            self.signals.stopped_by, self.signals.times, has_news = values
            self.signals.news = self.signals.news or has_news
            return None
        job = self.jobs[values[0]]
        if kind == "started":
            return Started(job, from_micros(values[1]))
        if kind == "printed":
            return Printed(job, values[1])
        del self.jobs[job.run_id]
        if kind == "ended":
            return Ended(job, unpack_result(values[1]), values[2])
        return Refused(job, values[1])


class LauncherClient(PoolClient):
    """An executor whose jobs the launcher of a tick starts."""

    def __init__(
        self,
        events: Receiver,
        orders: Sender,
        environment: RunEnvironment,
        secrets_file: str | None,
        *,
        tells_output: bool = False,
    ) -> None:
        super().__init__(events, orders)
        self._opening = (environment.root, environment.state, environment.store_id, secrets_file, tells_output)
        self._poll = select.poll()
        self._poll.register(events.descriptor, select.POLLIN)

    def __enter__(self) -> Self:
        # The launcher gets the signals that are sent to a tick, and reports them here.
        for number in (*REASONS, NEWS):
            signal.signal(number, signal.SIG_IGN)
        self.send("open", *self._opening)
        return self

    def __exit__(self, *error: object) -> None:
        self.send("close")
        while self.is_behind():
            self.wait(PAUSE)

    def wait(self, longest: float) -> list[Event]:
        """Return the events that have come; wait at most `longest` seconds. None come once the launcher has died."""
        wait = min(longest, self.seconds_left(), _LONGEST_WAIT)
        return self.take(is_readable=not self.is_lost and bool(self._poll.poll(int(wait * 1000) + 1)))

    def seconds_left(self) -> float:
        """Return the seconds until there is more to send, infinity where there is nothing."""
        return PAUSE if self.is_behind() else float("inf")

    def take(self, *, is_readable: bool) -> list[Event]:
        """Return the events that the launcher has sent, if `descriptor` is readable; send what is waiting."""
        if self.is_behind():
            self.flush()
        if not is_readable or self.is_lost:
            return []
        return [event for message in self.receive() if (event := self.event_of(message)) is not None]
