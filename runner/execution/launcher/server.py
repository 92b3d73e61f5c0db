"""The launcher at work: a pool carries out the orders of the decider, and the launcher tells it what happens."""

from __future__ import annotations

from runner.clock import to_micros
from runner.execution.launcher.messages import Receiver, Sender
from runner.execution.launcher.serialization import pack_ending, unpack_job
from runner.execution.owners.owner import Owner
from runner.execution.supervising.events import Ended, Printed, Started
from runner.execution.supervising.pool import Pool
from runner.execution.supervising.run_environment import RunEnvironment

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from runner.execution.launcher.messages import Message
    from runner.execution.supervising.events import Event

#: Seconds between looks at children where there is no news, and at a pipe that is full.
_FOR_EVER = 3_600.0
_SOON = 0.02
#: So many bytes are kept for a decider that is busy; then what children print is left out. All of it is on record.
_MOST_KEPT = 4 << 20


class Server:
    """One tick's children, for as long as its decider has orders."""

    def __init__(self, owner: Owner, orders: Receiver, events: Sender) -> None:
        self._owner = owner
        self._orders = orders
        self._events = events
        self._told = (0, False)
        self._left_out: dict[int, int] = {}
        self._is_over = False

    def serve(
        self,
        first: list[Message],
        root: str,
        state: str,
        store_id: str,
        secrets_file: str | None,
        tells_output: bool,  # noqa: FBT001 - it comes in a message
    ) -> None:
        """Carry out orders until the decider has no more, or is gone: then everything that it has started is ended.

        `first` are those that have come already.
        """
        environment = RunEnvironment(root, state, store_id)
        control = self._orders.descriptor
        with Pool(environment, self._owner, secrets_file, control, tells_output=tells_output) as pool:
            self._carry_out(pool, first)
            self._tell_signals(pool)
            while not self._is_over:
                for event in pool.wait(_SOON if self._events.is_behind() else _FOR_EVER):
                    self._tell(event)
                self._flush()
                if pool.is_ordered:
                    self._carry_out(pool, self._orders.receive())
                self._tell_signals(pool)
                if self._orders.is_closed:
                    self._is_over = True

    def _carry_out(self, pool: Pool, orders: list[Message]) -> None:
        for kind, *values in orders:
            if kind == "start":
                pool.start(unpack_job(values[0]))
            elif kind == "end":
                pool.end(*values)
            elif kind == "end_all":
                pool.end_all(*values)
            elif kind == "close":
                self._is_over = True

    def _tell_signals(self, pool: Pool) -> None:
        signals = pool.signals
        told = (signals.times, signals.news)
        if told != self._told:
            self._send("signals", signals.stopped_by, signals.times, signals.news)
            signals.news = False
            self._told = (signals.times, False)

    def _tell(self, event: Event) -> None:
        run_id = event.job.run_id
        if isinstance(event, Started):
            self._send("started", run_id, to_micros(event.at))
        elif isinstance(event, Ended):
            self._send("ended", run_id, pack_ending(event.ending), event.live_file)
        elif isinstance(event, Printed):
            self._tell_output(run_id, event.data)
        else:
            self._send("refused", run_id, event.why)

    def _tell_output(self, run_id: int, data: bytes) -> None:
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
            self._is_over = True  # the decider is gone, and nobody records anything

    def _flush(self) -> None:
        try:
            self._events.flush()
        except BrokenPipeError:
            self._is_over = True
