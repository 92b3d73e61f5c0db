"""Compile the code of a task, and return the error of the compiler."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import warnings

from runner.value import Value

#: Longer texts, in characters, are compiled in a child process. Some overflow the C stack of the compiler, and some
#: take it minutes, because it compares each constant with all others.
_LONG = 20_000
_SECONDS = 10
#: A file name that cannot be opened: the compiler would read the line in error from the file of this name.
_FILENAME = "/dev/null/code"
_PROGRAM = (
    "import json, sys; from runner.taskfile.python import fault_here; from runner.value import as_dict; "
    "fault = fault_here(sys.stdin.buffer.read().decode()); print(json.dumps(fault and as_dict(fault)))"
)


class Fault(Value):
    """An error of the compiler. Line and column count from 1, in the compiled text; 0 where there is no position."""

    message: str
    line: int = 0
    column: int = 0


def fault_in(code: str) -> Fault | None:
    """Return why a text cannot be compiled, or None. Return also where the text crashes the compiler, or blocks it."""
    return fault_here(code) if len(code) <= _LONG else _fault_elsewhere(code)


def fault_here(code: str) -> Fault | None:
    """Return why a text cannot be compiled, or None. The text is compiled in this process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, _FILENAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _fault(code, error)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return Fault(f"cannot compile this: {str(error) or 'nested too deeply'}")
    return None


def _fault(code: str, error: SyntaxError) -> Fault:
    line = max(1, error.lineno or 1)
    column = max(1, error.offset or 1)
    if error.text is None:
        # The parser counts columns in characters and sets `text`. Later stages of the compiler count bytes and do not.
        text = code.split("\n")[line - 1] if line <= code.count("\n") + 1 else ""
        column = len(text.encode()[: column - 1].decode("utf-8", "ignore")) + 1
    return Fault(str(error.msg), line, column)


def _fault_elsewhere(code: str) -> Fault | None:
    # -I: no file in the current folder is imported instead of a module of runner or of Python.
    done = subprocess.run(
        [sys.executable, "-I", "-c", _PROGRAM],
        input=code.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        cwd="/",
        preexec_fn=_limit,
    )
    if done.returncode:
        return Fault(f"cannot compile this: it crashes the compiler, or takes longer than {_SECONDS} s")
    fields = json.loads(done.stdout)
    return None if fields is None else Fault(**fields)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
