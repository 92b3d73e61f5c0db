"""Explain errors: one line with what happened, one with what to do, and the exit code. Never a traceback of runner."""

from __future__ import annotations

import os
import sys
import traceback

from runner.cli.os_errors import refused
from runner.cli.streams import ReaderGoneError
from runner.clock import ClockVariableError
from runner.errors import RunnerError

_USAGE = 2
_BUG = 3
_INTERRUPTED = 130
#: Set to anything, this shows the traceback of a bug.
_DEBUG = "RUNNER_DEBUG"


def explain(error: BaseException) -> int:
    """Explain an error on standard error; return the exit code."""
    if isinstance(error, ReaderGoneError):
        return error.exit_code
    if isinstance(error, RunnerError):
        complain(error.message, error.hint)
        return error.exit_code
    if isinstance(error, ClockVariableError):
        complain(str(error), "write it as 2026-03-29T00:59:59Z, or unset it")
        return _USAGE
    if isinstance(error, KeyboardInterrupt):
        if error.args:  # the runs that were ended
            print(error, file=sys.stderr)
        return _INTERRUPTED
    if os.environ.get(_DEBUG):
        traceback.print_exception(error)
    refusal = refused(error)
    if refusal is not None:
        complain(refusal.message, refusal.hint)
        return refusal.exit_code
    what = f"a bug in runner: {type(error).__name__}: {error} ({_where(error)})"
    complain(what, f"please report it; {_DEBUG}=1 shows the traceback")
    return _BUG


def complain(message: str, hint: str | None) -> None:
    """Print an error and its hint, in the form of all commands."""
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "unknown line"
