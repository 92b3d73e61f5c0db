"""Control groups, version 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html), where this process may make some.

A process cannot leave its group by a fork or a new session. Each attempt with limits gets a group, which is removed
when the attempt ends. Where the controllers `memory` and `pids` are available below the group of this process
(systemd's `Delegate=yes`), the kernel enforces these limits. Otherwise the pool measures.
"""

from __future__ import annotations

import os

from runner.model.limits import Limits

_CONTROLLERS = ("memory", "pids")


class Group:
    """One control group. Errors are ignored, because another process may remove a group: reads are empty then."""

    def __init__(self, path: str) -> None:
        self._path = path

    def enter(self) -> None:
        """Put this process into the group, and so all processes that it will start."""
        self._write("cgroup.procs", "0")

    def limit(self, limits: Limits) -> None:
        """Let the kernel enforce the limits of memory and processes, for all members together, where it can."""
        if limits.memory is not None and self._write("memory.max", str(limits.memory)):
            self._write("memory.swap.max", "0")
            self._write("memory.oom.group", "1")
        if limits.processes is not None:
            self._write("pids.max", str(limits.processes))

    def offer_controllers(self) -> None:
        """Make the controllers available in groups below this one. The kernel refuses if this one has members."""
        offered = [name for name in self._read("cgroup.controllers").split() if name in _CONTROLLERS]
        if set(offered) - set(self._read("cgroup.subtree_control").split()):
            self._write("cgroup.subtree_control", " ".join(f"+{name}" for name in offered))

    def members(self) -> list[int]:
        """Return the pids of the processes in the group."""
        return [int(pid) for pid in self._read("cgroup.procs").split()]

    def cpu(self) -> float:
        """Return the seconds of CPU time that members have used, ended ones included; 0.0 where that is unknown."""
        for line in self._read("cpu.stat").splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1e6
        return 0.0

    def is_out_of_memory(self) -> bool:
        """Return whether the kernel has killed a member because the group reached its memory limit."""
        return self._counts("memory.events", "oom_kill")

    def is_out_of_processes(self) -> bool:
        """Return whether the kernel has refused to start a process because the group reached its limit."""
        return self._counts("pids.events", "max")

    def is_frozen(self) -> bool:
        """Return whether the group is frozen: its members are stopped until it is thawed."""
        return self._counts("cgroup.events", "frozen")

    def _counts(self, name: str, event: str) -> bool:
        return any(line.startswith(f"{event} ") and line != f"{event} 0" for line in self._read(name).splitlines())

    def kill(self) -> None:
        """Kill all members at once, even while they fork (since Linux 5.14)."""
        self._write("cgroup.kill", "1")

    def remove(self) -> bool:
        """Remove the group if it has no members; return whether it is gone."""
        try:
            os.rmdir(self._path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _read(self, name: str) -> str:
        try:
            with open(f"{self._path}/{name}", encoding="ascii") as file:
                return file.read()
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> bool:
        try:
            descriptor = os.open(f"{self._path}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(descriptor, text.encode())
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True


def find() -> str | None:
    """Return the folder of this process's own group; None where this process cannot make groups in it."""
    for path in _folders("self"):
        if os.access(path, os.W_OK) and os.access(f"{path}/cgroup.procs", os.W_OK):
            return path
    return None


def is_frozen(pid: int) -> bool:
    """Return whether the group of a process is frozen, by itself or with a group above it (a paused container)."""
    return any(Group(path).is_frozen() for path in _folders(str(pid)))


def _folders(process: str) -> list[str]:
    """Return the folders of a process's group: one for each mount of the cgroup2 file system."""
    try:
        with open(f"/proc/{process}/cgroup", encoding="utf-8") as file:
            own = next(line[3:].rstrip("\n") for line in file if line.startswith("0::"))
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            mounts = [line.split() for line in file if " - cgroup2 " in line]
    except (OSError, StopIteration):
        return []
    roots = [(fields[3].rstrip("/"), fields[4]) for fields in mounts]
    return [folder + own.removeprefix(root).rstrip("/") for root, folder in roots]


def make(base: str, mark: str, limits: Limits) -> Group | None:
    """Return a new group for an attempt, named by its mark and with its limits; None where none can be made."""
    Group(base).offer_controllers()
    path = _path(base, mark)
    try:
        os.mkdir(path)
    except FileExistsError:
        pass  # a lost attempt has left it behind; it has no members any more
    except OSError:
        return None
    group = Group(path)
    group.limit(limits)
    return group


def left_by(mark: str) -> Group | None:
    """Return the group that a lost attempt with this mark has left behind; None where there is none."""
    base = find()
    path = None if base is None else _path(base, mark)
    return Group(path) if path is not None and os.path.isdir(path) else None


def _path(base: str, mark: str) -> str:
    return f"{base}/runner-{mark}"
