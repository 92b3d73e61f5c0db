"""What only Linux has: `/proc`, pidfds, subreapers, death signals. `portable.py` answers the same questions elsewhere."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36  # <linux/prctl.h>
_prctl = ctypes.CDLL(None, use_errno=True).prctl

#: Fields of /proc/PID/stat behind the name in brackets (proc_pid_stat(5)); starttime is the 22nd of all.
_STATE, _PPID, _SESSION, _START = 0, 1, 3, 19

#: Whether orphans become children of the process that adopts them.
ADOPTS = True


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent ends, so that none gets away unseen."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def become_child(parent: int, mark: str) -> bool:
    """Mark this process, tie its life to its parent's and keep its own orphans; False where the parent is gone already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _prctl(_PR_SET_NAME, ctypes.c_char_p(mark.encode()), 0, 0, 0)
    adopt_orphans()
    return os.getppid() == parent


def watch(pid: int) -> int | None:
    """Return a descriptor that becomes readable when a child ends, or None where the kernel has none (before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def identity(pid: int) -> str | None:
    """Return what tells a living process from any other that has, had or will have its pid; None where it is gone."""
    fields = _stat(pid)
    if fields is None or fields[_STATE] == "Z":
        return None
    return f"{boot_id()}:{pid}:{fields[_START]}"


def boot_id() -> str:
    """Return what changes with every boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def descendants(pid: int) -> list[int]:
    """Return the living processes below one, the nearest first."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        fields = _stat(other)
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
        with open(f"/proc/{me}/task/{me}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return [pid for pid in _pids() if (_stat(pid) or ["", "0"])[_PPID] == str(me)]


def carries(pid: int, mark: str) -> bool:
    """Return whether a process carries a mark.

    A fork keeps the name that its parent set, and a program started by it keeps the environment: one of the two is still there.
    """
    return _name(pid) == mark or f"RUNNER_MARK={mark}".encode() in _environ(pid)


def marked(mark: str, leader: int) -> list[int]:
    """Return the living processes that carry a mark, or are in the session that a child of that pid has led.

    A pid is not given away while a session of that number lives; where a process has it that does not carry the mark, the session
    is a stranger's.
    """
    me = os.getpid()
    others = [pid for pid in _pids() if pid != me]
    is_strangers = leader in others and not carries(leader, mark)
    session = None if is_strangers or not leader else str(leader)
    return [pid for pid in others if (_session(pid) == session or carries(pid, mark)) and identity(pid)]


def _session(pid: int) -> str:
    fields = _stat(pid)
    return "" if fields is None else fields[_SESSION]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _environ(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:  # gone, or somebody else's
        return []
