"""Processes and their whole trees: who is alive, and how to end what is left."""

from __future__ import annotations

import os
import signal
import sys
import time

#: Set to anything, this makes Linux use the means of other systems; the tests run both.
_PORTABLE = "RUNNER_PORTABLE"

if sys.platform == "linux" and not os.environ.get(_PORTABLE):
    from runner.execution import linux as system
else:
    from runner.execution import portable as system  # type: ignore[no-redef]

adopt_orphans = system.adopt_orphans
become_child = system.become_child
watch = system.watch

#: How long ended processes are waited for; KILL works at once unless a process hangs in the kernel.
_PATIENCE = 5.0
_PAUSE = 0.01


def supervisor() -> str:
    """Return the identity of this process, under which it answers for runs."""
    return system.identity(os.getpid()) or f"unknown:{os.getpid()}:0"


def is_alive(identity: str) -> bool:
    """Return whether the process of an identity is there: the same boot, the same pid, the same start."""
    _, pid, _ = identity.split(":", 2)
    return system.identity(int(pid)) == identity


def was_rebooted(identity: str) -> bool:
    """Return whether the machine has been started again since a process took that identity."""
    return identity.split(":", 1)[0] not in {system.boot_id(), "unknown"}


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a child and to everything below it."""
    for member in (pid, *system.descendants(pid)):
        _send(member, number)


def kill_tree(pid: int) -> None:
    """Kill a child and everything below it; what a dying fork bomb still starts is adopted, and ended by `end_orphans`."""
    members = (pid, *system.descendants(pid))
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in members:
            _send(member, number)


def children() -> set[int]:
    """Return the children of this process that are there now."""
    return set(system.own_children())


def orphans(known: set[int]) -> set[int]:
    """Return the children of this process that are not known: what ended processes have left to it. Reaps the dead."""
    return {pid for pid in system.own_children() if pid not in known and not _reap(pid)}


def end_orphans(known: set[int]) -> None:
    """Kill the children of this process that are not known, with all below them."""
    give_up = time.monotonic() + _PATIENCE
    while (left := orphans(known)) and time.monotonic() < give_up:
        for pid in left:
            kill_tree(pid)
        time.sleep(_PAUSE)


def end_group(leader: int) -> None:
    """Kill what is left of the group of a child that has ended; where orphans are adopted, `end_orphans` does more."""
    if system.ADOPTS:
        return
    for member in system.descendants(leader):
        _send(member, signal.SIGKILL)


def end_marked(mark: str, leader: int) -> int:
    """Kill what a lost run has left running, wherever it has gone; return how many processes there were."""
    ended: set[int] = set()
    give_up = time.monotonic() + _PATIENCE
    while (members := system.marked(mark, leader)) and time.monotonic() < give_up:
        for pid in members:
            ended.add(pid)
            kill_tree(pid)
        time.sleep(_PAUSE)
    return len(ended)


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or no longer ours: a set-user-id program


def _reap(pid: int) -> bool:
    """Return whether an adopted process has ended; waits for nothing."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
