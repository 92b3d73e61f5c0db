"""The output of a running attempt, in a file that other commands can follow."""

from __future__ import annotations

import os

from runner import clock
from runner.execution.supervising.run_environment import make_folder

#: Bytes. A larger file is renamed, with the suffix ASIDE, and a new file begins.
LARGEST = 1 << 20
#: Bytes a second. The file leaves out what is printed faster, because a person could not read it.
_MOST_A_SECOND = 1 << 20
ASIDE = ".1"


class LiveFile:
    """A file to which output is written as it comes. Errors of the disk are ignored: they must not harm the run."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._size = 0
        self._second = 0.0
        self._written = 0
        self._left_out = 0
        self._open()

    def write(self, data: bytes) -> None:
        """Add a piece of output."""
        now = clock.monotonic()
        if now - self._second >= 1:
            self._second, self._written = now, 0
        if self._written + len(data) > _MOST_A_SECOND:
            self._left_out += len(data)
            return
        if self._left_out:
            data = b"\n[... %d bytes left out ...]\n" % self._left_out + data
            self._left_out = 0
        self._written += len(data)
        self._append(data)

    def close(self) -> None:
        """Write how many bytes were left out, if any, and close the file."""
        if self._left_out:
            self._append(b"\n[... %d bytes left out ...]\n" % self._left_out)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, data: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            if self._size + len(data) > LARGEST:
                os.rename(self._path, self._path + ASIDE)
                os.close(self._descriptor)
                self._open()
            os.write(self._descriptor, data)
            self._size += len(data)
        except OSError:
            pass  # the disk is full; the pool keeps the output in memory, too

    def _open(self) -> None:
        self._size = 0
        try:
            make_folder(os.path.dirname(self._path))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError:
            self._descriptor = None


def left_over(path: str) -> bytes:
    """Return the output that the two live files of a lost attempt still have."""
    kept = b""
    for name in (path + ASIDE, path):
        try:
            with open(name, "rb") as file:
                kept += file.read(LARGEST)
        except OSError:
            continue
    return kept


def remove(path: str) -> None:
    """Remove a live file, and the older one with the suffix ASIDE."""
    for name in (path + ASIDE, path):
        try:
            os.unlink(name)
        except OSError:
            continue
