"""Processes and their whole trees: who is alive, and how to end what is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from runner.execution.owners.process_identity import UNKNOWN
from runner.execution.supervising.signals import NEWS
from runner.model.limits import Limits

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.execution.system.cgroups import Group
    from runner.execution.system.linux import Table

#: Set to anything, this makes Linux use the means of other systems; the tests run both.
_PORTABLE = "RUNNER_PORTABLE"

if sys.platform == "linux" and not os.environ.get(_PORTABLE):
    from runner.execution.system import linux as system
else:
    from runner.execution.system import portable as system  # type: ignore[no-redef]

adopt_orphans = system.adopt_orphans
become_child = system.become_child
watch = system.watch
control_groups = system.control_groups
table = system.table

#: How long ended processes are waited for; KILL works at once unless a process hangs in the kernel.
_PATIENCE = 10.0
_PAUSE = 0.01


def supervisor(pid: int | None = None) -> str:
    """Return who this process or another is, and in which pid namespace: who reads that of this one may wake it with `NEWS`."""
    if signal.getsignal(NEWS) is signal.SIG_DFL:
        signal.signal(NEWS, signal.SIG_IGN)  # else it would end this process before its pool is open
    pid = pid or os.getpid()
    identity = system.identity(pid) or f"{system.boot_id()}:{pid}:0"
    return f"{identity} {system.pid_namespace()}"


def boot_id() -> str:
    """Return what changes with every boot of the machine."""
    return system.boot_id()


def pid_of(process: str) -> str:
    """Return the pid in the name of an owner, or in what `supervisor` said; empty where there is none."""
    _, _, rest = process.partition(":")
    return rest.partition(":")[0]


def is_of_this_system(process: str) -> bool:
    """Return whether that process runs, or ran, where this one can see it: the same boot, the same pid namespace."""
    identity, _, namespace = process.partition(" ")
    return identity.split(":", 1)[0] == system.boot_id() and namespace in {"", system.pid_namespace()}


def wake(process: str) -> bool:
    """Tell a process that there is news; return whether that could be done."""
    return _is_alive(process) and system.send(int(pid_of(process)), NEWS, lambda: _is_alive(process))


def kill(process: str) -> bool:
    """Kill a process; return whether that could be done."""
    return _is_alive(process) and system.send(int(pid_of(process)), signal.SIGKILL, lambda: _is_alive(process))


def is_stopped(process: str) -> bool:
    """Return whether a process is there and stopped, by a signal or a debugger."""
    return _is_alive(process) and system.is_stopped(int(pid_of(process)))


def _is_alive(process: str) -> bool:
    if not process or not is_of_this_system(process):
        return False
    return system.identity(int(pid_of(process))) == process.partition(" ")[0]


def was_rebooted(owner: str) -> bool:
    """Return whether the machine has been started again since an owner took its name; also true on another machine."""
    then, now = owner.split(":", 1)[0], system.boot_id()
    return UNKNOWN not in {then, now} and then != now


def over(pid: int, limits: Limits, group: Group | None, seen: Table) -> str | None:
    """Return the name of a limit that a child with everything below it is over, or None; None where that cannot be told."""
    use = system.usage(pid, [] if group is None else group.members(), seen)
    if use is None:
        return None
    if limits.processes is not None and use.count > limits.processes:
        return "processes"
    if limits.cpu is not None and max(use.cpu, 0.0 if group is None else group.cpu()) > limits.cpu.total_seconds():
        return "cpu"
    # What processes share is counted for each of them at first, and only then in fair parts, which takes longer.
    if limits.memory is not None and use.resident > limits.memory and system.proportional(use.pids) > limits.memory:
        return "memory"
    return None


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a child and to everything below it."""
    for member in (pid, *system.descendants(pid)):
        _send(member, number)


def kill_tree(pid: int) -> None:
    """Kill a child and everything below it; what a dying fork bomb still starts is adopted, and found by `left_by`."""
    members = (pid, *system.descendants(pid))
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in members:
            _send(member, number)


def children() -> set[int]:
    """Return the children of this process that are there now."""
    return set(system.own_children())


def left_by(leader: int, known: set[int], other_marks: list[str]) -> set[int]:
    """Return the living processes that a child has left behind, which has ended. Reaps the dead.

    Where orphans are adopted, these are children of this process that are not known and do not carry another run's mark;
    elsewhere, the rest of the child's group.
    """
    if not system.ADOPTS:
        return set(system.descendants(leader))
    while True:
        unknown = {pid for pid in system.own_children() if pid not in known}
        living = {pid for pid in unknown if not _reap(pid)}
        left = {pid for pid in living if not any(system.carries(pid, mark) for mark in other_marks)}
        # A process that has ended since the list was read may have left a child, which this process has adopted since.
        if left or living == unknown:
            return left


def end_all(left: Callable[[], set[int]]) -> None:
    """Kill processes until none is left; what stood below them is then left to this process, and found in its turn.

    Quick rather than thorough each time round: a process that flees by forking again and again is caught only so.
    """
    give_up = time.monotonic() + _PATIENCE
    before: set[int] = set()
    while (pids := left()) and time.monotonic() < give_up:
        for pid in pids:
            _send(pid, signal.SIGKILL)
        if pids == before:
            time.sleep(_PAUSE)
        before = pids


def end_group(mark: str) -> None:
    """Kill and remove what a lost run has left in a control group."""
    if system.control_groups() is None:
        return
    from runner.execution.system import cgroups  # noqa: PLC0415 - only where there are any

    group = cgroups.left_by(mark)
    if group is not None:
        empty(group)


def empty(group: Group) -> None:
    """Kill the members of a control group, and remove it."""
    give_up = time.monotonic() + _PATIENCE
    while not group.remove() and time.monotonic() < give_up:
        group.kill()
        for pid in group.members():
            _send(pid, signal.SIGKILL)
            _reap(pid)
        time.sleep(_PAUSE)


def end_marked(mark: str, leader: int, since: float) -> None:
    """Kill what a lost run has left running, wherever it has gone, with all below it.

    `since` is when its child, of that pid, was started; seconds since 1970.
    """
    give_up = time.monotonic() + _PATIENCE
    while (pids := system.marked(mark, leader, since)) and time.monotonic() < give_up:
        for pid in pids:
            kill_tree(pid)
        time.sleep(_PAUSE)


def _send(pid: int, number: int) -> None:
    if pid == os.getpid():
        return  # a tick that a task has started tidies up after that task
    system.send(pid, number)


def _reap(pid: int) -> bool:
    """Return whether an adopted process has ended; waits for nothing."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
