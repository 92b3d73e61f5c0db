"""Do at the end of a run what an interpreter does at its end, with a time limit."""

from __future__ import annotations

import sys

# The module `signal` adds enums around this function, which takes long in a child.
from _signal import signal as set_handler  # type: ignore[import-not-found]
from signal import ITIMER_REAL, SIGALRM, setitimer

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

_ALARM = int(SIGALRM)
#: Seconds for all exit handlers, and then for each further one.
_LIMIT, _FURTHER = 10.0, 1.0
#: Seconds for Sentry to send what it has collected.
_SENTRY = 2.0


class ExitHandlersTimeout(Exception):  # noqa: N818 - people read this name in the output of their task
    """The exit handlers took too long. Python shows this for the handler that was under way, and calls the next."""


def run_bounded(run_exit_handlers: Callable[[], None]) -> None:
    """Call the exit handlers, and interrupt them after ten seconds; flush Sentry, whose own handler may be one."""
    flush_sentry()
    old = set_handler(_ALARM, _interrupt)
    setitimer(ITIMER_REAL, _LIMIT, _FURTHER)
    try:
        run_exit_handlers()
    finally:
        setitimer(ITIMER_REAL, 0)
        set_handler(_ALARM, old)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise ExitHandlersTimeout(f"exit handlers took longer than {_LIMIT:.0f} s")


def flush_sentry() -> None:
    """Send what Sentry's client has collected, if it is loaded (`sentry_sdk.flush`)."""
    sentry = sys.modules.get("sentry_sdk")
    if sentry is not None:
        try:
            sentry.flush(timeout=_SENTRY)
        except Exception as error:  # noqa: BLE001 - what Sentry cannot send must not fail the run
            sys.stderr.write(f"sentry_sdk.flush: {error}\n")
