"""The functions of `linux.py` by POSIX means: ps(1) and process groups. They miss a daemon that leaves its group."""

from __future__ import annotations

import os
import subprocess
import time

from runner.execution.owners.process_identity import boot_id

__all__ = ["boot_id"]  # `processes` calls it here as well

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

#: Whether `adopt_orphans` has an effect on this system.
ADOPTS = False
#: Seconds: ps(1) rounds the age of a process to seconds, and not always in the same way.
_SLACK = 3
_TRIES = 3
_UNITS = (1, 60, 3_600)
#: The folders in which ps(1) may be. The PATH of the caller may name others.
_PATH = "/usr/local/bin:/usr/bin:/bin"


def pid_namespace() -> str:
    """Return an empty text: these systems have no pid namespaces."""
    return ""


def is_stopped(pid: int) -> bool:
    """Return whether a signal has stopped a process."""
    answer = _ps("-o", "stat=", "-p", str(pid))
    return bool(answer) and answer[0][0].startswith("T")


def control_groups() -> None:
    """Return None: only Linux has control groups."""


def adopt_orphans() -> None:
    """Do nothing: orphans become children of init."""


def become_child(parent: int, mark: str) -> bool:
    """Return whether the parent is still alive."""
    del mark
    return os.getppid() == parent


def restore_after_change_of_user(parent: int) -> None:
    """Do nothing: only Linux takes something from a process that becomes another user."""
    del parent


def end_with_parent(parent: int) -> bool:
    """Return whether the parent is still alive."""
    return os.getppid() == parent


def outlive_parent() -> None:
    """Do nothing: this process ends with its parent only on Linux."""


def watch(pid: int) -> int | None:
    """Return None: the pool checks children every few milliseconds instead."""
    del pid
    return None


def identity(pid: int) -> str | None:
    """Return boot id, pid and start time of a living process; None where it has ended."""
    answer = _ps("-o", "stat=,lstart=", "-p", str(pid))
    if not answer or answer[0][0].startswith("Z"):
        return None
    return f"{boot_id()}:{pid}:{'-'.join(answer[0][1:])}"


def descendants(pid: int) -> list[int]:
    """Return the pids of the living descendants of a process, children first, then those of its process group."""
    table = [[int(word) for word in row[:3]] for row in _ps("-axo", "pid=,ppid=,pgid=,stat=") if row[3][0] != "Z"]
    found = [pid]
    for ancestor in found:
        found += [child for child, parent, _ in table if parent == ancestor and child not in found]
    found += [child for child, _, group in table if group == pid and child not in found]
    return found[1:]


def own_children() -> list[int]:
    """Return no pids: without a subreaper, orphans do not become children of this process."""
    return []


def carries(pid: int, mark: str) -> bool:
    """Return False: there is no portable way to read marks."""
    del pid, mark
    return False


def marked(mark: str, leader: int, since: float) -> list[int]:
    """Return the pids of the living processes in the group of the child with the pid `leader`, started at `since`.

    Return none where a process that started later has that pid.
    """
    del mark
    rows = _ps("-axo", "pid=,pgid=,stat=,etime=")
    began = [time.time() - _seconds(row[3]) for row in rows if int(row[0]) == leader]
    if any(start > since + _SLACK for start in began):
        return []
    return [int(row[0]) for row in rows if leader and int(row[1]) == leader and row[2][0] != "Z"]


def send(pid: int, number: int, is_meant: Callable[[], bool] | None = None) -> bool:
    """Send a signal, if `is_meant` returns True; return whether the process got it."""
    if is_meant is not None and not is_meant():
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def table() -> None:
    """Return None: without /proc, only the limits of the kernel apply (setrlimit(2))."""


def usage(pid: int, others: list[int], processes: object) -> None:
    """Return None, as `table` does."""
    del pid, others, processes


def proportional(pids: list[int]) -> int:
    """Return 0: the memory is not known."""
    del pids
    return 0


def _seconds(elapsed: str) -> int:
    """Return the seconds in a duration of ps(1), which is written `[[dd-]hh:]mm:ss`."""
    days, _, clock = elapsed.rpartition("-")
    parts = [int(part) for part in reversed(clock.split(":"))]
    return int(days or 0) * 86_400 + sum(part * unit for part, unit in zip(parts, _UNITS, strict=False))


def _ps(*words: str) -> list[list[str]]:
    environment = {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC0"}
    output = ""
    for _ in range(_TRIES):
        # On a busy machine ps(1) may fail because a process ends while it is read, and print nothing.
        try:
            done = subprocess.run(["ps", *words], check=False, capture_output=True, text=True, env=environment)
        except OSError:
            return []
        output = done.stdout
        if output:
            break
    return [line.split() for line in output.splitlines()]
