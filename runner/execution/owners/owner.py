"""Owners of runs: each a file that its processes hold locked, with who they are and which attempts have begun.

What has begun outlives its owner: should that be killed, a run that never began is not lost. It is written before each fork, in
one small write, which the kernel keeps whatever happens to the writer. Who ends an attempt in the place of an owner that does not
answer writes that into the same file first: of the two that were written, the first one holds, however late the owner goes on.
"""

from __future__ import annotations

import os

from runner.execution.owners.ownership import become_owner, folder, is_gone, path_of
from runner.execution.system import processes
from runner.value import Value


class Owner:
    """This process as an owner, from now until `close`. A process that is forked holds the lock with it, until both are gone."""

    def __init__(self, state: str, made: tuple[str, int] | None = None) -> None:
        """Make the file, unless that is done, and note in it which process this is. Raises StoreError."""
        self.name, self._descriptor = made or become_owner(state)
        self._path = path_of(state, self.name)
        self._size = os.fstat(self._descriptor).st_size
        #: Whether runs may have been taken in its name.
        self.is_at_work = False
        self._say(processes.supervisor())

    def _write(self, line: bytes) -> None:
        self._size += os.write(self._descriptor, line)

    def add(self, pid: int) -> None:
        """Note another process that works in the name of this owner: who finds one of them stopped knows of the others."""
        self._say(f"+{processes.supervisor(pid)}")

    def _say(self, line: str) -> None:
        try:
            self._write(f"{line}\n".encode())
        except OSError:
            pass  # the disk is full: who looks for this process finds it less easily

    def begin(self, run_id: int, attempt: int) -> bool:
        """Note that an attempt is about to begin, and return whether it may. Raises OSError: then it must not."""
        self._write(b"%d-%d\n" % (run_id, attempt))
        return not self.has_given_up(run_id, attempt)

    def has_given_up(self, run_id: int, attempt: int) -> bool:
        """Return whether others have taken an attempt from this owner: by a note, or with its file, as that of one who is gone."""
        found = os.fstat(self._descriptor)
        if found.st_nlink == 0:
            return True
        if found.st_size == self._size:
            return False  # nobody else has written anything
        return b"x%d-%d" % (run_id, attempt) in os.pread(self._descriptor, found.st_size, 0).splitlines()

    def close(self, *, keep: bool = False) -> None:
        """End: everything is on record, unless it says to keep what has begun for the next tick to see."""
        os.close(self._descriptor)
        if not keep:
            remove(self._path)


class Notes(Value):
    """What the file of an owner says: which process it is or was, with what `others`, and the attempts of runs that have begun."""

    process: str = ""
    others: tuple[str, ...] = ()
    begun: frozenset[tuple[int, int]] = frozenset()

    def may_have_begun(self, run_id: int, attempt: int) -> bool:
        """Return whether an attempt may have begun: always where the notes are gone, and nobody can tell."""
        return not self.process or (run_id, attempt) in self.begun

    def is_visible(self) -> bool:
        """Return whether this process could see that one: on the same machine, in the same pid namespace."""
        return bool(self.process) and processes.is_of_this_system(self.process)

    def is_stopped(self) -> bool:
        """Return whether one of its processes is stopped: none of them can do its work then."""
        return any(processes.is_stopped(process) for process in (self.process, *self.others))

    def kill(self) -> None:
        """Kill its processes."""
        for process in (*self.others, self.process):
            processes.kill(process)


def give_up(state: str, owner: str, run_id: int, attempt: int) -> bool:
    """Take an attempt from an owner that does not answer: should it not have begun, it never does. Return whether that was done."""
    try:
        descriptor = os.open(path_of(state, owner), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, b"x%d-%d\n" % (run_id, attempt))
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def why_unreadable(state: str, owner: str) -> str | None:
    """Return why the file of an owner may not be opened, None where it may."""
    try:
        os.close(os.open(path_of(state, owner), os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror
    return None


def read(state: str, owner: str) -> Notes:
    """Return the notes of an owner; empty ones where there are none."""
    try:
        with open(path_of(state, owner), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return Notes()
    # The last word of a process on who it is counts: the first one is said before it has loaded what knows this system.
    process = next((line for line in reversed(lines) if ":" in line and not line.startswith("+")), "")
    others = tuple(line[1:] for line in lines if line.startswith("+"))
    pairs = (line.partition("-") for line in lines)
    begun = {(int(run_id), int(attempt)) for run_id, _, attempt in pairs if run_id.isdigit() and attempt.isdigit()}
    return Notes(process, others, frozenset(begun))


def known(state: str) -> list[str]:
    """Return the owners that have files."""
    try:
        return [name.replace("+", ":") for name in os.listdir(folder(state))]
    except OSError:
        return []


def gone(state: str) -> list[str]:
    """Return the owners that have left their files behind and are gone."""
    return [name for name in known(state) if is_gone(state, name)]


def remove(path: str) -> None:
    """Remove the file of an owner."""
    try:
        os.unlink(path)
    except OSError:
        pass  # gone, or the disk is read-only: it is read again, and says the same
