"""Owners of runs. The processes of an owner keep one file locked; it names them and the attempts that have begun.

The list of begun attempts outlives a killed owner: a run that is not in it is not lost. The owner adds a line before
each fork, with one small write(2), which the kernel keeps even if the process is killed.

Another process that ends an attempt because its owner does not respond writes that into the same file first. The line
that was written first counts, however late the owner continues.
"""

from __future__ import annotations

import os

from runner.execution.owners.ownership import become_owner, folder, is_gone, path_of
from runner.execution.system import processes
from runner.value import Value


class Owner:
    """This process as an owner, until `close` is called. A process that it forks holds the same lock."""

    def __init__(self, state: str, made: tuple[str, int] | None = None, *, is_first: bool = True) -> None:
        """Write this process into the owner file, which is made unless `made` names it. Raises StoreError.

        `made` is a result of `become_owner`, perhaps of another process: then this one is not the first of the owner.
        """
        self.name, self._descriptor = made or become_owner(state)
        self.path = path_of(state, self.name)
        self._size = os.fstat(self._descriptor).st_size
        #: Whether this owner may have taken runs.
        self.is_at_work = False
        self.made = self.name, self._descriptor
        if is_first:
            self._try_to_write(processes.supervisor())
        else:
            self.add(os.getpid())

    def _write(self, line: bytes) -> None:
        self._size += os.write(self._descriptor, line)

    def add(self, pid: int) -> None:
        """Write another process of this owner into the file: if one of them is stopped, the owner cannot work."""
        self._try_to_write(f"+{processes.supervisor(pid)}")

    def _try_to_write(self, line: str) -> None:
        try:
            self._write(f"{line}\n".encode())
        except OSError:
            pass  # the disk is full: without this line, other commands may fail to find the process

    def begin(self, run_id: int, attempt: int) -> bool:
        """Write that an attempt begins; return whether this owner may start it. Raises OSError: then it must not."""
        self._write(b"%d-%d\n" % (run_id, attempt))
        return not self.has_given_up(run_id, attempt)

    def has_given_up(self, run_id: int, attempt: int) -> bool:
        """Return whether another process has taken an attempt from this owner, or has removed the owner file."""
        found = os.fstat(self._descriptor)
        if found.st_nlink == 0:
            return True
        if found.st_size == self._size:
            return False  # no other process has written anything
        return b"x%d-%d" % (run_id, attempt) in os.pread(self._descriptor, found.st_size, 0).splitlines()

    def close(self, *, keep: bool = False) -> None:
        """Release the lock and remove the file. With `keep`, leave the file: the next tick reads what has begun."""
        os.close(self._descriptor)
        if not keep:
            remove(self.path)


class Notes(Value):
    """The content of an owner file: the process that made it, the `others`, and the attempts that have begun."""

    process: str = ""
    others: tuple[str, ...] = ()
    begun_attempts: frozenset[tuple[int, int]] = frozenset()

    def may_have_begun(self, run_id: int, attempt: int) -> bool:
        """Return whether an attempt may have begun: also where the file is missing, because then it is not known."""
        return not self.process or (run_id, attempt) in self.begun_attempts

    def is_visible(self) -> bool:
        """Return whether this process can see the owner's: they share the boot and the pid namespace."""
        return bool(self.process) and processes.is_of_this_system(self.process)

    def is_stopped(self) -> bool:
        """Return whether a process of the owner is stopped: then none of them can do its work."""
        return any(processes.is_stopped(process) for process in (self.process, *self.others))

    def kill(self) -> None:
        """Kill the processes of the owner."""
        for process in (*self.others, self.process):
            processes.kill(process)


def give_up(state: str, owner: str, run_id: int, attempt: int) -> bool:
    """Take an attempt from an owner that does not respond; return whether that worked.

    If the attempt has not begun, the owner will not begin it any more.
    """
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
    """Return why an owner file cannot be opened; None where it can be, or does not exist."""
    try:
        os.close(os.open(path_of(state, owner), os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror
    return None


def read(state: str, owner: str) -> Notes:
    """Return the content of an owner file; empty notes where it cannot be read."""
    try:
        with open(path_of(state, owner), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return Notes()
    # The last line that names the process counts: the first is written before the module for this system is loaded.
    process = next((line for line in reversed(lines) if ":" in line and not line.startswith("+")), "")
    others = tuple(line[1:] for line in lines if line.startswith("+"))
    pairs = (line.partition("-") for line in lines)
    begun = {(int(run_id), int(attempt)) for run_id, _, attempt in pairs if run_id.isdigit() and attempt.isdigit()}
    return Notes(process, others, frozenset(begun))


def known(state: str) -> list[str]:
    """Return the names of all owners that have a file."""
    try:
        return [name.replace("+", ":") for name in os.listdir(folder(state))]
    except OSError:
        return []


def gone(state: str) -> list[str]:
    """Return the names of owners that are gone and have left their file behind."""
    return [name for name in known(state) if is_gone(state, name)]


def remove(path: str) -> None:
    """Remove an owner file, if that is possible."""
    try:
        os.unlink(path)
    except OSError:
        pass  # removed already, or on a read-only disk: then the next tick reads the same content again
