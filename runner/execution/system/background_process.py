"""Work beside what a tick does, in a process of its own that outlives its tick: it has a time limit of its own."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable


class BackgroundProcess:
    """Started at once, in a session of its own: neither Ctrl-C nor the end of the terminal reaches it, and it prints nothing."""

    def __init__(self, work: Callable[[], None]) -> None:
        # Where the caller ignores it, the kernel would reap the child before anybody can wait for it.
        self._old = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                os.setsid()
                nowhere = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(nowhere, number)
                work()
                code = 0
            finally:
                os._exit(code)

    def wait(self) -> None:
        """Return once the work is done."""
        os.waitpid(self._pid, 0)
        signal.signal(signal.SIGCHLD, self._old)
