"""What all children of a pool have in common, made once in their parent: what is there before a fork is not made after it."""

from __future__ import annotations

import io
import os

from runner.execution.owners.owner import Owner
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.supervising.signals import Signals

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Inherited:
    """`nowhere` is a descriptor of /dev/null; the streams write to the descriptors that will be 1 and 2 in a child.

    While it is open, this process has the environment of its children: each adds only what is its own.
    """

    def __init__(self, environment: RunEnvironment, signals: Signals, owner: Owner) -> None:
        self.environment = environment
        self.signals = signals
        self.owner = owner
        self.parent = os.getpid()
        self.nowhere = os.open(os.devnull, os.O_RDONLY)
        self.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open for the child's whole life
        self.stdout = _written_through(1)
        self.stderr = _written_through(2)
        self._old = dict(os.environ)
        os.environ.clear()
        os.environ.update(environment.environment(self._old))

    def close(self) -> None:
        """Put the environment back."""
        os.close(self.nowhere)
        os.environ.clear()
        os.environ.update(self._old)


def _written_through(descriptor: int) -> io.TextIOWrapper:
    """Return a stream that is written as `python -u` does: in order, and what was printed before a crash is on record."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(_Through(raw), "utf-8", "backslashreplace", write_through=True)


class _Through(io.BufferedWriter):
    """Writes at once, and all of it: a signal may cut a write to a pipe short, and a raw file would leave it at that."""

    def write(self, data: ReadableBuffer) -> int:
        written = super().write(data)
        self.flush()
        return written
