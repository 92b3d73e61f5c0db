"""Which attempts a process has begun, in a file that outlives it: should it be killed, what it never began is not lost.

Written before each fork, in one small write, which the kernel keeps whatever happens to the writer.
"""

from __future__ import annotations

import os


class Begun:
    """The notes of one supervisor."""

    def __init__(self, state: str, supervisor: str) -> None:
        self._path = path_of(state, supervisor)
        self._descriptor: int | None = None

    def note(self, run_id: int, attempt: int) -> None:
        """Note that an attempt is about to begin. Raises OSError: then it must not."""
        if self._descriptor is None:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        os.write(self._descriptor, b"%d-%d\n" % (run_id, attempt))

    def close(self) -> None:
        """Remove the notes: everything is on record."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            remove(self._path)


def path_of(state: str, supervisor: str) -> str:
    """Return the file of a supervisor's notes."""
    return f"{_folder(state)}/{supervisor.replace(':', '+')}"


def read(path: str) -> set[tuple[int, int]]:
    """Return what has begun by the notes in a file: runs with the numbers of their attempts."""
    try:
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return set()
    pairs = (line.partition("-") for line in lines)
    return {(int(run_id), int(attempt)) for run_id, _, attempt in pairs if run_id.isdigit() and attempt.isdigit()}


def _folder(state: str) -> str:
    return f"{state}/begun"


def supervisors(state: str) -> list[str]:
    """Return whose notes there are."""
    try:
        return [name.replace("+", ":") for name in os.listdir(_folder(state))]
    except OSError:
        return []


def remove(path: str) -> None:
    """Remove a file of notes."""
    try:
        os.unlink(path)
    except OSError:
        pass  # gone, or the disk is read-only: it is read again, and says the same
