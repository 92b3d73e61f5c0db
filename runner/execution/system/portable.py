"""The answers of `linux.py` by POSIX means: `ps(1)` and process groups. A daemon that leaves its group is not found."""

from __future__ import annotations

import os
import subprocess
import time

from runner.execution.owners.process_identity import boot_id

__all__ = ["boot_id"]  # it is an answer as well

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

#: Whether orphans become children of the process that adopts them.
ADOPTS = False
#: `ps` counts in seconds, and not always the same ones.
_SLACK = 3
_TRIES = 3
_UNITS = (1, 60, 3_600)
#: Where ps(1) is, whatever the caller's PATH says.
_PATH = "/usr/local/bin:/usr/bin:/bin"


def pid_namespace() -> str:
    """Return nothing: there is one."""
    return ""


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped by a signal."""
    answer = _ps("-o", "stat=", "-p", str(pid))
    return bool(answer) and answer[0][0].startswith("T")


def control_groups() -> None:
    """Return nothing: only Linux has them."""


def adopt_orphans() -> None:
    """Do nothing: orphans go to init."""


def become_child(parent: int, mark: str) -> bool:
    """Return whether the parent is still there."""
    del mark
    return os.getppid() == parent


def watch(pid: int) -> int | None:
    """Return None: the pool asks every few milliseconds instead."""
    del pid
    return None


def identity(pid: int) -> str | None:
    """Return what tells a living process from any other that has, had or will have its pid; None where it is gone."""
    answer = _ps("-o", "stat=,lstart=", "-p", str(pid))
    if not answer or answer[0][0].startswith("Z"):
        return None
    return f"{boot_id()}:{pid}:{'-'.join(answer[0][1:])}"


def descendants(pid: int) -> list[int]:
    """Return the living processes below one, and those of its group, the nearest first."""
    table = [[int(word) for word in row[:3]] for row in _ps("-axo", "pid=,ppid=,pgid=,stat=") if row[3][0] != "Z"]
    found = [pid]
    for ancestor in found:
        found += [child for child, parent, _ in table if parent == ancestor and child not in found]
    found += [child for child, _, group in table if group == pid and child not in found]
    return found[1:]


def own_children() -> list[int]:
    """Return nothing: without a subreaper, nobody's orphans become children of this process."""
    return []


def carries(pid: int, mark: str) -> bool:
    """Return False: there are no marks to be seen."""
    del pid, mark
    return False


def marked(mark: str, leader: int, since: float) -> list[int]:
    """Return the living processes of the group that a child has led since then, unless its pid is somebody else's now."""
    del mark
    rows = _ps("-axo", "pid=,pgid=,stat=,etime=")
    began = [time.time() - _seconds(row[3]) for row in rows if int(row[0]) == leader]
    if any(start > since + _SLACK for start in began):
        return []
    return [int(row[0]) for row in rows if leader and int(row[1]) == leader and row[2][0] != "Z"]


def send(pid: int, number: int, is_meant: Callable[[], bool] | None = None) -> bool:
    """Send a signal; return whether the process was there."""
    if is_meant is not None and not is_meant():
        return False
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def table() -> None:
    """Return nothing: the kernel's own limits have to do."""


def usage(pid: int, others: list[int], processes: object) -> None:
    """Return nothing, as `table` does."""
    del pid, others, processes


def proportional(pids: list[int]) -> int:
    """Return nothing, as `usage` does."""
    del pids
    return 0


def _seconds(elapsed: str) -> int:
    """Return the seconds of ps(1)'s `[[dd-]hh:]mm:ss`."""
    days, _, clock = elapsed.rpartition("-")
    parts = [int(part) for part in reversed(clock.split(":"))]
    return int(days or 0) * 86_400 + sum(part * unit for part, unit in zip(parts, _UNITS, strict=False))


def _ps(*words: str) -> list[list[str]]:
    environment = {"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC0"}
    said = ""
    for _ in range(_TRIES):
        # On a busy machine ps(1) may stumble over a process that is just ending, and say nothing.
        try:
            said = subprocess.run(["ps", *words], check=False, capture_output=True, text=True, env=environment).stdout
        except OSError:
            return []
        if said:
            break
    return [line.split() for line in said.splitlines()]
