"""Signals that other processes send to a pool: to end, or to read new requests from the store."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from types import FrameType

#: Signals that end all runs, with the reason that is recorded for the runs.
REASONS: dict[int, str] = {
    signal.SIGTERM: "runner was asked to end",
    signal.SIGHUP: "the terminal is gone",
    signal.SIGINT: "Ctrl-C",
}
#: The signal after which a supervisor reads the store, because another process has written a request into it.
NEWS = signal.SIGUSR1


class Signals:
    """The signals that have come.

    `stopped_by` is the last one that asked all runs to end, `times` the number of these; `news` is True after NEWS.
    """

    def __init__(self) -> None:
        self.stopped_by: int | None = None
        self.times = 0
        self.news = False
        self._pipe = (-1, -1)
        self._old_wakeup = -1
        self._old: dict[int, object] = {}
        #: The signals that the caller has blocked; children would inherit that.
        self.blocked: set[int | signal.Signals] = set()

    def catch(self) -> int:
        """Install the handlers; return a descriptor that becomes readable when a signal comes."""
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        # A signal that the caller ignores stays ignored: with nohup(1), runs outlive the terminal.
        handled = [number for number in REASONS if signal.getsignal(number) is not signal.SIG_IGN]
        self._old = {number: signal.signal(number, self._stop) for number in handled}
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._old[NEWS] = signal.signal(NEWS, self._note_news)
        # If the caller ignores SIGCHLD, the kernel reaps children, and their exit status is lost (wait(2)).
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._old_wakeup = signal.set_wakeup_fd(self._pipe[1])
        return self._pipe[0]

    def empty(self) -> None:
        """Read what a signal has written into the pipe of `catch`. Its handler has run already."""
        os.read(self._pipe[0], 4096)

    def put_back(self) -> None:
        """Restore the handlers of the caller."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # as signal.signal has returned it
        for descriptor in self._pipe:
            os.close(descriptor)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = number
        self.times += 1

    def _note_news(self, _number: int, _frame: FrameType | None) -> None:
        self.news = True
