"""What other processes say to a pool: end, or look what somebody has asked for."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from types import FrameType

#: Signals that end everything that runs, and what is then said of the runs.
REASONS: dict[int, str] = {
    signal.SIGTERM: "runner was asked to end",
    signal.SIGHUP: "the terminal is gone",
    signal.SIGINT: "Ctrl-C",
}
#: Says that the store has something to tell.
NEWS = signal.SIGUSR1


class Signals:
    """`stopped_by` is the signal that has asked for the end, `times` how often one has; `news` whether there may be some."""

    def __init__(self) -> None:
        self.stopped_by: int | None = None
        self.times = 0
        self.news = False
        self._pipe = (-1, -1)
        self._old_wakeup = -1
        self._old: dict[int, object] = {}
        #: What the caller has blocked, and children would inherit.
        self.blocked: set[int | signal.Signals] = set()

    def catch(self) -> int:
        """Begin; return a descriptor that becomes readable when a signal comes."""
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        # Who starts us with nohup(1) wants the runs to outlive the terminal.
        heeded = [number for number in REASONS if signal.getsignal(number) is not signal.SIG_IGN]
        self._old = {number: signal.signal(number, self._stop) for number in heeded}
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._old[NEWS] = signal.signal(NEWS, self._tell)
        # Where the caller ignores it, the kernel would reap children before anybody can ask how they ended.
        self._old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._old_wakeup = signal.set_wakeup_fd(self._pipe[1])
        return self._pipe[0]

    def put_back(self) -> None:
        """End; the caller's handlers are in force again."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # as signal.signal has returned it
        for descriptor in self._pipe:
            os.close(descriptor)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped_by = number
        self.times += 1

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self.news = True
