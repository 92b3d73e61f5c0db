"""Owners of runs: each a file that its process holds locked, with who that is and which attempts have begun.

What has begun outlives its owner: should that be killed, a run that never began is not lost. It is written before each fork, in
one small write, which the kernel keeps whatever happens to the writer.
"""

from __future__ import annotations

import os

from runner.execution import processes
from runner.execution.ownership import HIDDEN, become_owner, folder, is_gone, path_of
from runner.model.value import Value


class Owner:
    """This process as an owner, from now until `close`. A process that is forked holds the lock with it, until both are gone."""

    def __init__(self, state: str, made: tuple[str, int] | None = None) -> None:
        """Make the file, unless that is done, and note in it which process this is. Raises OSError."""
        self.name, self._descriptor = made or become_owner(state)
        self._path = path_of(state, self.name)
        _say(self._descriptor, "")

    def begin(self, run_id: int, attempt: int) -> None:
        """Note that an attempt is about to begin. Raises OSError: then it must not."""
        os.write(self._descriptor, b"%d-%d\n" % (run_id, attempt))

    def close(self, *, keep: bool = False) -> None:
        """End: everything is on record, unless it says to keep what has begun for the next tick to see."""
        os.close(self._descriptor)
        if not keep:
            remove(self._path)


class Notes(Value):
    """What the file of an owner says: which process it is or was, and the runs, with the numbers of attempts, that have begun.

    `others` are processes that are the owner with it: the one that decides and records, beside the one that forks.
    """

    __slots__ = ("begun", "others", "process")

    def __init__(
        self, process: str = "", begun: frozenset[tuple[int, int]] = frozenset(), others: tuple[str, ...] = ()
    ) -> None:
        self.process = process
        self.begun = begun
        self.others = others

    def is_visible(self) -> bool:
        """Return whether this process could see that one: on the same machine, in the same pid namespace."""
        return bool(self.process) and processes.is_of_this_system(self.process)

    def kill(self) -> None:
        """Kill the processes of the owner, as far as they can be seen."""
        for process in (*self.others, self.process):
            processes.kill(process)


_OTHER = "with "


def join(descriptor: int) -> None:
    """Note that this process is the owner, too, which has the file open."""
    _say(descriptor, _OTHER)


def _say(descriptor: int, prefix: str) -> None:
    """Note which process this is, by the means of this system."""
    try:
        os.write(descriptor, f"{prefix}{processes.supervisor()}\n".encode())
    except OSError:
        pass  # the disk is full: who looks for this process finds it less easily


def read(state: str, owner: str) -> Notes:
    """Return the notes of an owner; empty ones where there are none."""
    try:
        with open(path_of(state, owner), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return Notes()
    others = tuple(line.removeprefix(_OTHER) for line in lines if line.startswith(_OTHER))
    process = next((line for line in reversed(lines) if ":" in line and not line.startswith(_OTHER)), "")
    pairs = (line.partition("-") for line in lines)
    begun = {(int(run_id), int(attempt)) for run_id, _, attempt in pairs if run_id.isdigit() and attempt.isdigit()}
    return Notes(process, frozenset(begun), others)


def gone(state: str) -> list[str]:
    """Return the owners that have left their files behind and are gone."""
    try:
        names = os.listdir(folder(state))
    except OSError:
        return []
    return [name.replace("+", ":") for name in names if not name.startswith(HIDDEN) and is_gone(state, name)]


def remove(path: str) -> None:
    """Remove the file of an owner."""
    try:
        os.unlink(path)
    except OSError:
        pass  # gone, or the disk is read-only: it is read again, and says the same
