"""Find and end processes and their descendants, on Linux and on other systems."""

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

#: If this variable is not empty, Linux uses the functions for other systems. The tests run both.
_PORTABLE = "RUNNER_PORTABLE"

if sys.platform == "linux" and not os.environ.get(_PORTABLE):
    from runner.execution.system import linux as system
else:
    from runner.execution.system import portable as system  # type: ignore[no-redef]

adopt_orphans = system.adopt_orphans
become_child = system.become_child
end_with_parent = system.end_with_parent
restore_after_change_of_user = system.restore_after_change_of_user
outlive_parent = system.outlive_parent
watch = system.watch
control_groups = system.control_groups
table = system.table

#: Seconds to wait until killed processes are gone. SIGKILL works at once, unless a process waits in the kernel.
_PATIENCE = 10.0
_PAUSE = 0.01


def supervisor(pid: int | None = None) -> str:
    """Return the identity and the pid namespace of this process, or of the process `pid`, for an owner file."""
    if signal.getsignal(NEWS) is signal.SIG_DFL:
        # A process that reads the file may send NEWS; the default action would end this process before its pool is
        # open.
        signal.signal(NEWS, signal.SIG_IGN)
    pid = pid or os.getpid()
    identity = system.identity(pid) or f"{system.boot_id()}:{pid}:0"
    return f"{identity} {system.pid_namespace()}"


def boot_id() -> str:
    """Return the id of this boot of the machine, which every boot changes."""
    return system.boot_id()


def pid_of(process: str) -> str:
    """Return the pid in the name of an owner or in a result of `supervisor`; empty where there is none."""
    _, _, rest = process.partition(":")
    return rest.partition(":")[0]


def is_of_this_system(process: str) -> bool:
    """Return whether this process can see another one: they share the boot and the pid namespace."""
    identity, _, namespace = process.partition(" ")
    return identity.split(":", 1)[0] == system.boot_id() and namespace in {"", system.pid_namespace()}


def wake(process: str) -> bool:
    """Send NEWS to a process; return whether the process got it."""
    return _is_alive(process) and system.send(int(pid_of(process)), NEWS, lambda: _is_alive(process))


def kill(process: str) -> bool:
    """Send SIGKILL to a process; return whether the process got it."""
    return _is_alive(process) and system.send(int(pid_of(process)), signal.SIGKILL, lambda: _is_alive(process))


def is_stopped(process: str) -> bool:
    """Return whether a process is alive and stopped, by a signal, a debugger or a frozen control group."""
    return _is_alive(process) and system.is_stopped(int(pid_of(process)))


def _is_alive(process: str) -> bool:
    if not process or not is_of_this_system(process):
        return False
    return system.identity(int(pid_of(process))) == process.partition(" ")[0]


def was_rebooted(owner: str) -> bool:
    """Return whether the machine was rebooted after an owner took its name. Return True also on another machine."""
    then, now = owner.split(":", 1)[0], system.boot_id()
    return UNKNOWN not in {then, now} and then != now


def over(pid: int, limits: Limits, group: Group | None, seen: Table) -> str | None:
    """Return the name of a limit that a child and its descendants exceed; None where no excess is known."""
    use = system.usage(pid, [] if group is None else group.members(), seen)
    if use is None:
        return None
    if limits.processes is not None and use.count > limits.processes:
        return "processes"
    if limits.cpu is not None and max(use.cpu, 0.0 if group is None else group.cpu()) > limits.cpu.total_seconds():
        return "cpu"
    # Resident memory counts shared pages for each process. `proportional` counts them once, but takes longer.
    if limits.memory is not None and use.resident > limits.memory and system.proportional(use.pids) > limits.memory:
        return "memory"
    return None


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a child and its descendants."""
    for member in (pid, *system.descendants(pid)):
        _send(member, number)


def kill_tree(pid: int) -> None:
    """Kill a child and its descendants. What a fork bomb starts meanwhile is adopted, and `left_by` finds it."""
    members = (pid, *system.descendants(pid))
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for member in members:
            _send(member, number)


def children() -> set[int]:
    """Return the pids of the present children of this process."""
    return set(system.own_children())


def left_by(leader: int, known: set[int], other_marks: list[str]) -> set[int]:
    """Return the pids of the living processes that an ended child has left behind. Reaps adopted zombies.

    Where orphans are adopted, these are the children of this process that are not in `known` and have no mark of
    another run. Elsewhere, they are the processes of the child's group.
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
    """Kill the processes that `left` returns until it returns none. Their children are adopted, and killed in turn.

    The loop does not search for descendants: only a fast loop kills a process that forks again and again to escape.
    """
    deadline = time.monotonic() + _PATIENCE
    before: set[int] = set()
    while (pids := left()) and time.monotonic() < deadline:
        for pid in pids:
            _send(pid, signal.SIGKILL)
        if pids == before:
            time.sleep(_PAUSE)
        before = pids


def end_group(mark: str) -> None:
    """Kill the members of the control group that a lost attempt has left behind, and remove the group."""
    if system.control_groups() is None:
        return
    from runner.execution.system import cgroups  # noqa: PLC0415 - only where control groups can be made

    group = cgroups.left_by(mark)
    if group is not None:
        empty(group)


def empty(group: Group) -> None:
    """Kill the members of a control group, and remove it."""
    deadline = time.monotonic() + _PATIENCE
    while not group.remove() and time.monotonic() < deadline:
        group.kill()
        for pid in group.members():
            _send(pid, signal.SIGKILL)
            _reap(pid)
        time.sleep(_PAUSE)


def end_marked(mark: str, leader: int, since: float) -> None:
    """Kill the processes that a lost attempt has left running, and their descendants.

    `leader` is the pid of its child, and `since` the time at which that was started, in seconds since 1970.
    """
    deadline = time.monotonic() + _PATIENCE
    while (pids := system.marked(mark, leader, since)) and time.monotonic() < deadline:
        for pid in pids:
            kill_tree(pid)
        time.sleep(_PAUSE)


def _send(pid: int, number: int) -> None:
    if pid == os.getpid():
        return  # this tick was started by the task whose processes it ends
    system.send(pid, number)


def _reap(pid: int) -> bool:
    """Return whether an adopted process has ended, without waiting; reap it."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
