"""Find what a process must not have when it forks: threads, and connections that its children would share."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading

from runner import clock

#: Seconds to wait for a thread that is ending, such as that of `faulthandler.dump_traceback_later` after its end.
_PATIENCE, _PAUSE = 1.0, 0.002


def shared(left: str) -> str:
    """Return the sentence about what an application has left open."""
    return f"it left {left}, which each child would share: do not start it where RUNNER_CONTEXT is set"


def open_descriptors() -> frozenset[int]:
    """Return the open file descriptors of this process from 3 on."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = [int(name) for name in os.listdir(folder)]
    return frozenset(number for number in found if number > 2 and _is_open(number))  # noqa: PLR2004 - standard streams


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False  # the descriptor with which the folder was read
    return True


def left_thread() -> str | None:
    """Return what says which thread there is besides this one; None where there is none."""
    others = [thread for thread in threading.enumerate() if thread is not threading.current_thread()]
    if others:
        target = getattr(others[0], "_target", None)
        code = "" if target is None else f" ({target.__module__}.{target.__qualname__})"
        return f"the thread `{others[0].name}`{code}"
    native = _native_threads()
    limit = clock.monotonic() + _PATIENCE
    while native and clock.monotonic() < limit:
        clock.pause(_PAUSE)
        native = _native_threads()
    return f"a thread outside Python, `{native[0]}`" if native else None


def _native_threads() -> list[str]:
    """Return the names of the threads besides the main one, on Linux (proc_pid_task(5))."""
    try:
        ids = [name for name in os.listdir("/proc/self/task") if name != str(os.getpid())]
        return [_name_of(task) for task in ids]
    except OSError:
        return []


def _name_of(task: str) -> str:
    with open(f"/proc/self/task/{task}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def left_connection(descriptors: frozenset[int]) -> str | None:
    """Return what says which of the descriptors is a connected stream socket; None where none is."""
    for descriptor in sorted(descriptors):
        peer = _peer_of(descriptor)
        if peer is not None:
            return f"a connection to {peer}"
    return None


def _peer_of(descriptor: int) -> str | None:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        with socket.socket(fileno=os.dup(descriptor)) as found:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
                return None
            peer = found.getpeername()
    except OSError:
        return None  # not connected, or closed meanwhile
    if isinstance(peer, tuple):
        return f"{peer[0]} port {peer[1]}"
    return str(peer) if peer else "another process of this machine"


def opened_since(before: frozenset[int]) -> frozenset[int]:
    """Return the descriptors that were opened since `open_descriptors` returned `before`."""
    sys.stdout.flush()
    return open_descriptors() - before
