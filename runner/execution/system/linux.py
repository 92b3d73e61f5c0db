"""Processes on Linux: /proc, pidfds, subreapers, death signals. `portable.py` has the functions for other systems."""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from runner.execution.owners.process_identity import boot_id, identity, pid_namespace, stat

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["boot_id", "identity", "pid_namespace"]  # `processes` calls these here as well

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36  # <linux/prctl.h>
# PyDLL keeps the interpreter's lock and saves no errno: after a fork, the kernel copies each page that a call writes
# to.
_prctl = ctypes.PyDLL(None).prctl

#: Fields of /proc/PID/stat behind the name in brackets (proc_pidstat(5)); starttime is the 22nd of all.
_STATE, _PPID, _SESSION = 0, 1, 3

_UTIME, _STIME, _CUTIME, _CSTIME, _VSIZE, _RSS = 11, 12, 13, 14, 20, 21
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")

#: Whether `adopt_orphans` has an effect on this system.
ADOPTS = True


class Usage:
    """What a tree of processes uses.

    `cpu` is in seconds of CPU time, that of reaped members included, and `resident` in bytes. `count` is the number of
    processes. `pids` are those of them that do not run in the memory of their parent.
    """

    __slots__ = ("count", "cpu", "pids", "resident")

    def __init__(self, pids: list[int], rows: list[list[str]]) -> None:
        sizes = {pid: (row[_VSIZE], row[_RSS]) for pid, row in zip(pids, rows, strict=True)}
        # After vfork(2), a new process runs in the memory of its parent until it calls execve(2): the sizes are the
        # same.
        self.pids = [pid for pid, row in zip(pids, rows, strict=True) if sizes.get(int(row[_PPID])) != sizes[pid]]
        self.count = len(pids)
        self.cpu = sum(int(row[field]) for row in rows for field in (_UTIME, _STIME, _CUTIME, _CSTIME)) / _TICKS
        self.resident = sum(int(row[_RSS]) for row in rows) * _PAGE


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal (T) or a debugger (t) (proc_pid_stat(5)), or frozen."""
    from runner.execution.system.cgroups import is_frozen  # noqa: PLC0415 - only where an owner does not respond

    fields = stat(pid)
    return fields is not None and (fields[_STATE] in {"T", "t"} or is_frozen(pid))


def control_groups() -> str | None:
    """Return the folder in which this process may make control groups; None where there is none."""
    from runner.execution.system.cgroups import find  # noqa: PLC0415 - only for tasks that have limits

    return find()


def adopt_orphans() -> None:
    """Make this process a subreaper: the parent of each descendant whose own parent has ended (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become_child(parent: int, mark: str) -> bool:
    """Set the mark as the name of this process, make it a subreaper, and let the kernel kill it when its parent ends.

    Return whether the parent is still alive.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _prctl(_PR_SET_NAME, mark.encode(), 0, 0, 0)
    adopt_orphans()
    return os.getppid() == parent


def restore_after_change_of_user(parent: int) -> None:
    """Restore what the kernel takes from a process that becomes another user (prctl(2)).

    That is its end with its parent, and its own folder in /proc. Raises ProcessLookupError where the parent has ended.
    """
    _prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    if not end_with_parent(parent):
        raise ProcessLookupError


def end_with_parent(parent: int) -> bool:
    """Let the kernel kill this process when its parent ends; return whether the parent is still alive."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent


def outlive_parent() -> None:
    """Undo `end_with_parent`."""
    _prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)


def watch(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a child ends; None where there is none (before Linux 5.3)."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def send(pid: int, number: int, is_meant: Callable[[], bool] | None = None) -> bool:
    """Send a signal, if `is_meant` returns True; return whether the process got it.

    A pidfd stays with its process. So if `is_meant` has checked the process, no other one with this pid gets the
    signal.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        return error.errno in {errno.ENOSYS, errno.EMFILE} and _kill(pid, number)
    try:
        if is_meant is None or is_meant():
            signal.pidfd_send_signal(descriptor, number)
            return True
    except OSError:
        pass  # the process has ended, or runs a set-user-id program, and this user may not send it signals
    finally:
        os.close(descriptor)
    return False


def _kill(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


Table = dict[int, list[str]]


def table() -> Table:
    """Return the fields of /proc/PID/stat of each process, zombies included, by pid."""
    return {pid: fields for pid in _pids() if (fields := stat(pid)) is not None}


def usage(pid: int, others: list[int], processes: Table) -> Usage | None:
    """Return what a process, its descendants and the `others` use together."""
    children: dict[int, list[int]] = {}
    for other, fields in processes.items():
        children.setdefault(int(fields[_PPID]), []).append(other)
    pids = [pid]
    for ancestor in pids:
        pids += children.get(ancestor, [])
    pids += [other for other in others if other not in pids]
    rows = [(member, processes[member]) for member in pids if member in processes]
    return Usage([member for member, _ in rows], [fields for _, fields in rows])


def proportional(pids: list[int]) -> int:
    """Return the bytes of memory that processes use. Shared memory counts once (`Pss` in proc_pid_smaps(5))."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, ValueError, IndexError):  # the process ended while its file was read, or is another user's
            continue
    return total * 1024


def descendants(pid: int) -> list[int]:
    """Return the pids of the living descendants of a process: its children, then their children, and so on."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        fields = stat(other)
        if fields is not None and fields[_STATE] != "Z":
            children.setdefault(int(fields[_PPID]), []).append(other)
    found = [pid]
    for ancestor in found:
        found += children.get(ancestor, [])
    return found[1:]


def own_children() -> list[int]:
    """Return the pids of the children of this process, zombies included."""
    me = os.getpid()
    try:
        descriptor = os.open(f"/proc/{me}/task/{me}/children", os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return [int(pid) for pid in file.readall().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid in _pids() if (stat(pid) or ["", "0"])[_PPID] == str(me)]


def carries(pid: int, mark: str) -> bool:
    """Return whether a process has a mark, as its name or in its environment.

    A forked process keeps the name of its parent, and a program that it executes keeps the environment.
    """
    return _name(pid) == mark or f"RUNNER_MARK={mark}".encode() in _environ(pid)


def marked(mark: str, leader: int, since: float) -> list[int]:
    """Return the pids of the living processes that have a mark, or are in the session of the child `leader`, a pid.

    Linux does not assign a pid to a new process while a session has that number. So if a process without the mark has
    the pid `leader`, the child's session has ended, and a session of that number belongs to another program.
    """
    del since
    me = os.getpid()
    others = [pid for pid in _pids() if pid != me]
    is_reused = leader in others and not carries(leader, mark)
    session = None if is_reused or not leader else str(leader)
    return [pid for pid in others if (_session(pid) == session or carries(pid, mark)) and identity(pid)]


def _session(pid: int) -> str:
    fields = stat(pid)
    return "" if fields is None else fields[_SESSION]


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []  # a container without /proc


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except OSError:  # the process has ended, or is another user's
        return ""


def _environ(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # the process has ended, or is another user's
        return []
