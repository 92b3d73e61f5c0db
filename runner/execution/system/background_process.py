"""Work in a background process, which outlives the tick that started it. The work must have its own time limit."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable


class BackgroundProcess:
    """A child process that calls `work` at once.

    It has its own session, so that Ctrl-C and the end of the terminal do not reach it, and it prints nothing.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        # If the caller ignores SIGCHLD, the kernel reaps the child, and waitpid(2) fails.
        self._old = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                os.setsid()
                null = os.open(os.devnull, os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(null, number)
                work()
                code = 0
            finally:
                os._exit(code)

    def wait(self) -> None:
        """Wait until the process has ended."""
        os.waitpid(self._pid, 0)
        signal.signal(signal.SIGCHLD, self._old)
