"""Messages between the decider and the launcher: plain values through a pipe, each after its length in bytes."""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from typing import Any

    Message = tuple[Any, ...]

_CHUNK = 1 << 16
_LENGTH = 4  # bytes of the number before each message: its length


class Sender:
    """The writing end of a pipe for messages. It never blocks: it keeps in memory what does not fit into the pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._data = bytearray()
        os.set_blocking(descriptor, False)

    def send(self, *message: Any) -> None:
        """Write a message, as much as fits into the pipe. Raises BrokenPipeError once the reading end is closed."""
        data = marshal.dumps(message)
        self._data += len(data).to_bytes(_LENGTH, "big") + data
        self.flush()

    def flush(self) -> None:
        """Write more of the kept bytes. Raises BrokenPipeError once the reading end is closed."""
        try:
            while self._data:
                del self._data[: os.write(self.descriptor, self._data[:_CHUNK])]
        except BlockingIOError:
            pass  # the pipe is full

    def is_behind(self) -> bool:
        """Return whether bytes are kept in memory."""
        return bool(self._data)

    def kept(self) -> int:
        """Return how many bytes are kept in memory."""
        return len(self._data)


class Receiver:
    """The reading end of a pipe for messages."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_closed = False
        self._data = bytearray()

    def receive(self) -> list[Message]:
        """Return the messages that one read(2) completes; it may wait. None come once `is_closed` is True."""
        data = os.read(self.descriptor, _CHUNK)
        self.is_closed = not data
        self._data += data
        found = []
        while len(self._data) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._data[:_LENGTH], "big")
            if len(self._data) < end:
                break
            found.append(marshal.loads(self._data[_LENGTH:end]))  # noqa: S302 - this tick has written it
            del self._data[:end]
        return found
