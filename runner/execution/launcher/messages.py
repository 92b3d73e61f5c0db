"""Messages between the process that decides and the one that forks: plain values through a pipe, each behind its length."""

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
_LENGTH = 4  # bytes that say how long a message is


class Sender:
    """The end of a pipe that messages are written to. No side waits for the other: what does not fit is kept for later."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._data = bytearray()
        os.set_blocking(descriptor, False)

    def send(self, *message: Any) -> None:
        """Write a message as far as it fits. Raises BrokenPipeError once nobody reads."""
        data = marshal.dumps(message)
        self._data += len(data).to_bytes(_LENGTH, "big") + data
        self.flush()

    def flush(self) -> None:
        """Write more of what was kept. Raises BrokenPipeError."""
        try:
            while self._data:
                del self._data[: os.write(self.descriptor, self._data[:_CHUNK])]
        except BlockingIOError:
            pass  # the other side is busy

    def is_behind(self) -> bool:
        """Return whether something is kept."""
        return bool(self._data)

    def kept(self) -> int:
        """Return how many bytes are kept."""
        return len(self._data)


class Receiver:
    """The end of a pipe that messages are read from."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_closed = False
        self._data = bytearray()

    def receive(self) -> list[Message]:
        """Return the messages that one read completes; waits where nothing has come. Nothing more comes once `is_closed`."""
        data = os.read(self.descriptor, _CHUNK)
        self.is_closed = not data
        self._data += data
        found = []
        while len(self._data) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._data[:_LENGTH], "big")
            if len(self._data) < end:
                break
            found.append(marshal.loads(self._data[_LENGTH:end]))  # noqa: S302 - from our own process, through a pipe of ours
            del self._data[:end]
        return found
