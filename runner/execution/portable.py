"""The answers of `linux.py` by POSIX means: `ps(1)` and process groups. A daemon that leaves its group is not found."""

from __future__ import annotations

import os
import subprocess

#: Whether orphans become children of the process that adopts them.
ADOPTS = False


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


def boot_id() -> str:
    """Return nothing: the start time of a process tells boots apart."""
    return "any"


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


def marked(mark: str, leader: int) -> list[int]:
    """Return the living processes of the group that a child has led, unless its pid is somebody else's now."""
    del mark
    rows = _ps("-axo", "pid=,pgid=,stat=,command=")
    if any(int(row[0]) == leader and "runner" not in " ".join(row[3:]) for row in rows):
        return []
    return [int(row[0]) for row in rows if leader and int(row[1]) == leader and row[2][0] != "Z"]


def _ps(*words: str) -> list[list[str]]:
    done = subprocess.run(
        ["ps", *words], check=False, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C", "TZ": "UTC0"}
    )
    return [line.split() for line in done.stdout.splitlines()]
