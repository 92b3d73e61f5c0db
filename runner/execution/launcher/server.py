"""The server in the launcher: it carries out the orders of the decider with a pool, and sends it the events."""

from __future__ import annotations

from runner.clock import to_micros
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.serialization import pack_result, unpack_job
from runner.execution.owners.owner import Owner
from runner.execution.supervising.events import Ended, Printed, Started
from runner.execution.supervising.pool import Pool
from runner.execution.supervising.run_environment import RunEnvironment

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from runner.execution.child.application import Application
    from runner.execution.launcher.messages import Message
    from runner.execution.supervising.events import Event

#: Seconds of the longest wait.
_LONGEST_WAIT = 3_600.0
#: Seconds of the longest wait while the pipe to the decider is full.
_PAUSE = 0.02
#: Bytes that are kept for a decider that does not read. Beyond that, output is not sent; the record of the run has it.
_MOST_KEPT = 4 << 20


class Server:
    """The server of one tick, from the decider's first order to its last."""

    def __init__(
        self,
        owner: Owner,
        orders: Receiver,
        events: Sender,
        application: Application | None = None,
        outside: dict[str, str] | None = None,
    ) -> None:
        """Serve in the launcher, or in a host, which has an application and the environment of the tick."""
        self._application = application
        self._outside = outside
        self._owner = owner
        self._orders = orders
        self._events = events
        self._sent_signals = (0, False)
        self._left_out: dict[int, int] = {}
        self._has_ended = False

    def serve(
        self,
        first: list[Message],
        root: str,
        state: str,
        store_id: str,
        secrets_file: str | None,
        tells_output: bool,  # noqa: FBT001 - a message has no keywords
    ) -> None:
        """Carry out orders until the decider closes or dies; then end everything that was started.

        `first` has the orders that were read together with the arguments.
        """
        environment = RunEnvironment(root, state, store_id)
        control = self._orders.descriptor
        pool = Pool(
            environment,
            self._owner,
            secrets_file,
            control,
            tells_output=tells_output,
            application=self._application,
            outside=self._outside,
        )
        with pool:
            self._carry_out(pool, first)
            self._send_signals(pool)
            while not self._has_ended:
                for event in pool.wait(_PAUSE if self._events.is_behind() else _LONGEST_WAIT):
                    self._send_event(event)
                self._flush()
                if pool.is_ordered:
                    self._carry_out(pool, self._orders.receive())
                self._send_signals(pool)
                if self._orders.is_closed:
                    self._has_ended = True

    def _carry_out(self, pool: Pool, orders: list[Message]) -> None:
        for kind, *values in orders:
            if kind == "start":
                pool.start(unpack_job(values[0]))
            elif kind == "end":
                pool.end(*values)
            elif kind == "end_all":
                pool.end_all(*values)
            elif kind == "close":
                self._has_ended = True

    def _send_signals(self, pool: Pool) -> None:
        signals = pool.signals
        if (signals.times, signals.news) != self._sent_signals:
            self._send("signals", signals.stopped_by, signals.times, signals.news)
            signals.news = False
            self._sent_signals = (signals.times, False)

    def _send_event(self, event: Event) -> None:
        run_id = event.job.run_id
        if isinstance(event, Started):
            self._send("started", run_id, to_micros(event.at))
        elif isinstance(event, Ended):
            self._send("ended", run_id, pack_result(event.result), event.live_file)
        elif isinstance(event, Printed):
            self._send_output(run_id, event.data)
        else:
            self._send("refused", run_id, event.why)

    def _send_output(self, run_id: int, data: bytes) -> None:
        if self._events.kept() > _MOST_KEPT:
            self._left_out[run_id] = self._left_out.get(run_id, 0) + len(data)
            return
        left_out = self._left_out.pop(run_id, 0)
        note = b"\n[... %d bytes not shown, see `runner logs` ...]\n" % left_out if left_out else b""
        self._send("printed", run_id, note + data)

    def _send(self, *message: object) -> None:
        try:
            self._events.send(*message)
        except BrokenPipeError:
            self._has_ended = True  # the decider has died, and no process records the runs

    def _flush(self) -> None:
        try:
            self._events.flush()
        except BrokenPipeError:
            self._has_ended = True
