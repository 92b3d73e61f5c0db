"""What a run printed: its head and its tail, and how much fell out between them."""

from __future__ import annotations

from collections import deque

#: How much of a run's output is kept, in bytes: half of it from the beginning, half from the end.
CAP = 256 * 1024


class Capture:
    """Takes output as it comes and never holds much more than the cap."""

    def __init__(self, cap: int = CAP) -> None:
        self._head = bytearray()
        self._head_cap = cap // 2
        self._tail: deque[bytes] = deque()
        self._tail_cap = cap - self._head_cap
        self._tail_size = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
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
            lost = min(excess, len(first))
            self._tail_size -= lost
            self.dropped += lost

    def kept(self) -> bytes:
        """Return head and tail, with a line between them that says how much is missing."""
        gap = b"\n[... %d bytes dropped ...]\n" % self.dropped if self.dropped else b""
        return bytes(self._head) + gap + b"".join(self._tail)
