"""Write the output of a run to standard output without blocking, so that the time limits of the run are kept."""

from __future__ import annotations

import os
import select
from typing import TextIO

from runner.cli.streams import output_error

#: A pipe that is ready takes so much without blocking (pipe(7), PIPE_BUF).
_PIECE = 4_096
#: So much is kept for a reader that pauses; then the oldest is left out. All of it is on record.
_MOST = 8 << 20


class NonblockingWriter:
    """A writer that never blocks. Where the output cannot be written any more, the run continues."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._left_out = 0
        self._trouble: OSError | None = None

    def show(self, data: bytes) -> None:
        """Write what can be written at once."""
        if self._trouble is not None:
            return
        self._waiting += data
        excess = len(self._waiting) - _MOST
        if excess > 0:
            del self._waiting[:excess]
            self._left_out += excess
        self._write(0)

    def finish(self) -> None:
        """Write the rest, and wait for the reader."""
        if self._left_out:
            self._waiting += b"\n[... %d bytes not shown, see `runner logs` ...]\n" % self._left_out
        self._write(None)

    def check(self) -> None:
        """Raise OutputError where the output could not be written, unless the reader has closed it."""
        if self._trouble is not None and not isinstance(self._trouble, BrokenPipeError):
            raise output_error(self._trouble)

    def _write(self, patience: int | None) -> None:
        try:
            descriptor = self._stream.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            while self._waiting and poll.poll(patience):
                self._write_piece(descriptor)
        except OSError as error:
            self._trouble = error
            self._waiting.clear()

    def _write_piece(self, descriptor: int) -> None:
        try:
            del self._waiting[: os.write(descriptor, self._waiting[:_PIECE])]
        except BlockingIOError:
            pass  # another writer has filled it first
