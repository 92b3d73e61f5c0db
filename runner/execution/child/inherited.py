"""Objects that all children of a pool use. Their parent makes them once, before the first fork: that is faster."""

from __future__ import annotations

import io
import os

from runner.execution.owners.owner import Owner
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import Signals

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from runner.execution.child.application import Application


class Inherited:
    """The inherited objects: `null`, a descriptor of /dev/null, and streams for the descriptors 0, 1 and 2 of a child.

    Until `close`, this process has the environment variables that all its children have; a child only adds its own.
    The children of a host also have the variables of its `application`.
    """

    def __init__(
        self, environment: RunEnvironment, signals: Signals, owner: Owner, application: Application | None
    ) -> None:
        self.environment = environment
        self.signals = signals
        self.owner = owner
        self.application = application
        self.parent = os.getpid()
        self.null = os.open(os.devnull, os.O_RDONLY)
        self.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open for the child's whole life
        self.stdout = _written_through(1)
        self.stderr = _written_through(2)
        self._old = dict(os.environ)
        if application is None:
            os.environ.clear()
        os.environ.update(environment.environment(self._old))

    def close(self) -> None:
        """Restore the environment variables of this process."""
        os.close(self.null)
        os.environ.clear()
        os.environ.update(self._old)


def _written_through(descriptor: int) -> io.TextIOWrapper:
    """Return an unbuffered stream, as with `python -u`: output keeps its order, and a crash loses none of it."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(_Through(raw), "utf-8", "backslashreplace", write_through=True)


class _Through(io.BufferedWriter):
    """A writer that writes all data at once. A raw file would drop the rest where a signal interrupts write(2)."""

    def write(self, data: ReadableBuffer) -> int:
        written = super().write(data)
        self.flush()
        return written
