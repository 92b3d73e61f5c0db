"""Concurrency slots, counted over all ticks: so many files, each locked by the process that runs something.

The kernel gives a lock back when its process ends, however it ends (flock(2)): a killed tick never keeps a slot.
"""

from __future__ import annotations

import fcntl
import os

from runner.execution.supervising.run_environment import make_folder


class Slots:
    """At most `limit` slots at once, shared with every other process that uses the same folder."""

    def __init__(self, folder: str, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._held: dict[int, int] = {}

    def take(self) -> bool:
        """Take a slot if one is free; return whether it was. Raises OSError where the folder cannot be written."""
        return any(number not in self._held and self._lock(number) for number in range(self._limit))

    def release(self) -> None:
        """Give one slot back."""
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
