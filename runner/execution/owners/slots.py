"""Concurrency slots, counted over all ticks: for each slot a file, which the process that uses the slot keeps locked.

The kernel releases a lock when the process ends, however it ends (flock(2)), so a killed tick keeps no slot.
"""

from __future__ import annotations

import fcntl
import os

from runner.execution.supervising.run_environment import make_folder


class Slots:
    """At most `limit` slots at once, shared by all processes that use the same folder."""

    def __init__(self, folder: str, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._held: dict[int, int] = {}

    def take(self) -> bool:
        """Take a slot if one is free; return whether one was. Raises OSError where the folder cannot be written."""
        return any(number not in self._held and self._lock(number) for number in range(self._limit))

    def free(self) -> int:
        """Return how many slots are free now. Raises OSError."""
        taken = 0
        while self.take():
            taken += 1
        for _ in range(taken):
            self.release()
        return taken

    def release(self) -> None:
        """Release one slot."""
        _, descriptor = self._held.popitem()
        os.close(descriptor)

    def _lock(self, number: int) -> bool:
        make_folder(self._folder)
        descriptor = os.open(f"{self._folder}/{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._held[number] = descriptor
        return True
