"""The identity of a process: no other process has it, not even a later one with the same pid. Linux only."""

import os

#: Fields of /proc/PID/stat behind the name in brackets (proc_pid_stat(5)); starttime is the 22nd of all.
_STATE, _START = 0, 19
_FEWEST = 22  # the fields up to `rss`, the last one that is used
#: The boot id where the system has none.
UNKNOWN = "unknown"


def identity(pid: int) -> str | None:
    """Return boot id, pid and start time of a living process; None where it has ended, or /proc cannot be read."""
    fields = stat(pid)
    if fields is None or fields[_STATE] == "Z":
        return None
    return f"{boot_id()}:{pid}:{fields[_START]}"


def pid_namespace() -> str:
    """Return the name of this process's pid namespace (pid_namespaces(7)); empty without /proc."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def boot_id() -> str:
    """Return the id of this boot of the machine, which every boot changes; UNKNOWN where /proc does not have it."""
    try:
        return _read("/proc/sys/kernel/random/boot_id").strip() or UNKNOWN
    except OSError:
        return UNKNOWN


def stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat behind the name; None where the file is missing or cannot be read.

    Where /proc is mounted with `hidepid`, the files of other users' processes cannot be read (proc(5)).
    """
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    except OSError:
        return None
    return fields if len(fields) >= _FEWEST else None  # the process may end while its file is read


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 4096).decode("utf-8", "replace")
    finally:
        os.close(descriptor)
