"""Who a process is: what tells it from any other that has, had or will have its pid. Linux only."""

import os

#: Fields of /proc/PID/stat behind the name in brackets (proc_pid_stat(5)); starttime is the 22nd of all.
_STATE, _START = 0, 19
_FEWEST = 22  # up to the memory that it uses
#: Stands for a boot that cannot be told from another.
UNKNOWN = "unknown"


def identity(pid: int) -> str | None:
    """Return boot id, pid and start time of a living process; None where it is gone, or where there is no /proc."""
    fields = stat(pid)
    if fields is None or fields[_STATE] == "Z":
        return None
    return f"{boot_id()}:{pid}:{fields[_START]}"


def pid_namespace() -> str:
    """Return the name of the namespace in which this process's pids mean something (pid_namespaces(7)); empty without /proc."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def boot_id() -> str:
    """Return what changes with every boot of the machine; UNKNOWN where /proc does not tell."""
    try:
        return _read("/proc/sys/kernel/random/boot_id").strip() or UNKNOWN
    except OSError:
        return UNKNOWN


def stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name; None where there is no such process, or /proc does not tell.

    It tells nothing of other users' processes where it is mounted with `hidepid` (proc(5)).
    """
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return None
    return fields if len(fields) >= _FEWEST else None  # it may end in the middle of being read


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
