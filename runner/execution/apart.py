"""Work in a process of its own, so that what it loads is gone with it: a small process forks quickly (DESIGN §10)."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 65_536


def apart(work: Callable[[int], int]) -> tuple[int, str]:
    """Do work in a child; return its exit code and what it has said.

    The work is given a descriptor to say it to, and returns the exit code.
    """
    # Where the caller ignores it, the kernel would reap the child before anybody can ask how it ended.
    old = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.close(readable)
            code = work(writable)
        finally:
            os._exit(code)
    os.close(writable)
    said = b""
    while data := os.read(readable, _CHUNK):
        said += data
    os.close(readable)
    _, status = os.waitpid(pid, 0)
    signal.signal(signal.SIGCHLD, old)
    return os.waitstatus_to_exitcode(status), said.decode()
