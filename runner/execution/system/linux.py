"""What only Linux has: `/proc`, pidfds, subreapers, death signals. `portable.py` answers the same questions elsewhere."""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from runner.execution.owners.process_identity import boot_id, identity, pid_namespace, stat

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["boot_id", "identity", "pid_namespace"]  # these are answers as well

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36  # <linux/prctl.h>
# Keeps the interpreter's lock and asks for no errno: after a fork each page that a call writes to has to be copied.
_prctl = ctypes.PyDLL(None).prctl

#: Fields of /proc/PID/stat behind the name in brackets (proc_pidstat(5)); starttime is the 22nd of all.
_STATE, _PPID, _SESSION = 0, 1, 3

_UTIME, _STIME, _CUTIME, _CSTIME, _VSIZE, _RSS = 11, 12, 13, 14, 20, 21
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")

#: Whether orphans become children of the process that adopts them.
ADOPTS = True


class Usage:
    """What a tree of processes uses: seconds of processor time, with that of its members that have ended; bytes of memory."""

    __slots__ = ("count", "cpu", "pids", "resident")

    def __init__(self, pids: list[int], rows: list[list[str]]) -> None:
        sizes = {pid: (row[_VSIZE], row[_RSS]) for pid, row in zip(pids, rows, strict=True)}
        # A process that is just being started may run in the memory of its parent (vfork(2)): it has none of its own.
        self.pids = [pid for pid, row in zip(pids, rows, strict=True) if sizes.get(int(row[_PPID])) != sizes[pid]]
        self.count = len(pids)
        self.cpu = sum(int(row[field]) for row in rows for field in (_UTIME, _STIME, _CUTIME, _CSTIME)) / _TICKS
        self.resident = sum(int(row[_RSS]) for row in rows) * _PAGE


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, by a signal (T) or a debugger (t) (proc_pid_stat(5)), or frozen with its group."""
    from runner.execution.system.cgroups import is_frozen  # noqa: PLC0415 - only where an owner does not answer

    fields = stat(pid)
    return fields is not None and (fields[_STATE] in {"T", "t"} or is_frozen(pid))


def control_groups() -> str | None:
    """Return the folder in which this process may make control groups, if there is one."""
    from runner.execution.system.cgroups import find  # noqa: PLC0415 - only for tasks that have limits

    return find()


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, so that none gets away unseen."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become_child(parent: int, mark: str) -> bool:
    """Mark this process, tie its life to its parent's and keep its own orphans; False where the parent is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _prctl(_PR_SET_NAME, mark.encode(), 0, 0, 0)
    adopt_orphans()
    return os.getppid() == parent


def watch(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a child ends, or None where the kernel has none (before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def send(pid: int, number: int, is_meant: Callable[[], bool] | None = None) -> bool:
    """Send a signal; return whether the process was there. The pid cannot become another's once it has been asked who it is."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError as error:
        return error.errno in {errno.ENOSYS, errno.EMFILE} and _kill(pid, number)
    try:
        if is_meant is None or is_meant():
            signal.pidfd_send_signal(descriptor, number)
            return True
    except OSError:
        pass  # gone, or no longer ours: a set-user-id program
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
    """Return the fields of every process, of ended ones that nobody has waited for, too."""
    return {pid: fields for pid in _pids() if (fields := stat(pid)) is not None}


def usage(pid: int, others: list[int], processes: Table) -> Usage | None:
    """Return what a process, everything below it, and others that belong to it use."""
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
    """Return the memory of processes in bytes, in which what they share counts once (`Pss` of proc_pid_smaps(5))."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, ValueError, IndexError):  # gone in the middle of being read, or somebody else's
            continue
    return total * 1024


def descendants(pid: int) -> list[int]:
    """Return the living processes below one, the nearest first."""
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
    """Return the children of this process, ended ones that nobody has waited for included."""
    me = os.getpid()
    try:
        descriptor = os.open(f"/proc/{me}/task/{me}/children", os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return [int(pid) for pid in file.readall().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid in _pids() if (stat(pid) or ["", "0"])[_PPID] == str(me)]


def carries(pid: int, mark: str) -> bool:
    """Return whether a process carries a mark.

    A fork keeps the name that its parent set, and a program started by it keeps the environment: one of the two is still there.
    """
    return _name(pid) == mark or f"RUNNER_MARK={mark}".encode() in _environ(pid)


def marked(mark: str, leader: int, since: float) -> list[int]:
    """Return the living processes that carry a mark, or are in the session that a child of that pid has led.

    A pid is not given away while a session of that number lives; where a process has it that does not carry the mark, the session
    is a stranger's.
    """
    del since
    me = os.getpid()
    others = [pid for pid in _pids() if pid != me]
    is_strangers = leader in others and not carries(leader, mark)
    session = None if is_strangers or not leader else str(leader)
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
    except OSError:  # as with `_environ`
        return ""


def _environ(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # gone, or somebody else's
        return []
