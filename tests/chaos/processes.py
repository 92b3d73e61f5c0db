"""Who is there: the processes of a storm, known by the folder that their environment or their words name (proc(5))."""

from __future__ import annotations

import os
import signal

_SESSION = 3  # of the fields of proc_pid_stat(5) behind the name


def below(pid: int) -> list[int]:
    """Return the processes below one, the nearest first."""
    children: dict[int, list[int]] = {}
    for other in _pids():
        parent = _stat(other, 1)
        if parent is not None:
            children.setdefault(int(parent), []).append(other)
    found = [pid]
    for ancestor in found:
        found += children.get(ancestor, [])
    return found[1:]


def kill(pid: int, mark: str) -> bool:
    """Kill a process of ours; return whether it was one."""
    return send(pid, mark, signal.SIGKILL)


def is_of_runner(pid: int) -> bool:
    """Return whether a process below a command belongs to the command: each task leads a session of its own."""
    return _stat(pid, _SESSION) != str(pid)


def send(pid: int, mark: str, number: int) -> bool:
    """Send a signal to a process of ours; return whether it was one.

    It is held by a descriptor before it is asked who it is.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not _is_marked(pid, mark):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def marked(mark: str) -> list[int]:
    """Return the living processes that carry a mark."""
    return [pid for pid in _pids() if pid != os.getpid() and _is_marked(pid, mark) and _stat(pid, 0) not in {None, "Z"}]


def holders(mark: str, name: str) -> list[int]:
    """Return the living processes that carry a mark and have a file of that name open."""
    return [pid for pid in marked(mark) if any(link.endswith(f"/{name}") for link in _open_files(pid))]


def words_of(pid: int) -> str:
    """Return what a process was started as."""
    return f"{pid} {_read(pid, 'comm').decode(errors='replace').strip()}: {_read(pid, 'cmdline')[:200]!r}"


def _is_marked(pid: int, mark: str) -> bool:
    return mark.encode() in _read(pid, "environ") or mark.encode() in _read(pid, "cmdline")


def _open_files(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    try:
        return [_target(f"{folder}/{name}") for name in os.listdir(folder)]
    except OSError:  # gone
        return []


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed
        return ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int, field: int) -> str | None:
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split()[field] if text else None


def _read(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:  # gone
        return b""
