"""The captured output of a run: its beginning and its end, and how many bytes between them were dropped."""

from __future__ import annotations

from collections import deque

#: Bytes of a run's output that are kept: half of them from the beginning, half from the end.
CAP = 256 * 1024


class Capture:
    """A buffer for output that never holds much more than `cap` bytes. `dropped` counts the bytes that it dropped."""

    def __init__(self, cap: int = CAP) -> None:
        self._head = bytearray()
        self._head_cap = cap // 2
        self._tail: deque[bytes] = deque()
        self._tail_cap = cap - self._head_cap
        self._tail_size = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Add the next piece of output."""
        room = self._head_cap - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._tail.append(data)
            self._tail_size += len(data)
            self._trim()

    def _trim(self) -> None:
        while self._tail_size > self._tail_cap:
            excess = self._tail_size - self._tail_cap
            first = self._tail.popleft()
            if len(first) > excess:
                self._tail.appendleft(first[excess:])
            dropped = min(excess, len(first))
            self._tail_size -= dropped
            self.dropped += dropped

    def kept(self) -> bytes:
        """Return beginning and end, with a line between them that says how many bytes were dropped."""
        gap = b"\n[... %d bytes dropped ...]\n" % self.dropped if self.dropped else b""
        return bytes(self._head) + gap + b"".join(self._tail)
