"""Whether Python can compile a text, and what it says where it cannot."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import warnings

from runner.value import Value

#: Longer texts are compiled in a process of their own: some overflow the compiler's C stack, and some keep
#: it busy for minutes, because it compares each constant with each.
_LONG = 20_000
_SECONDS = 10
#: The compiler opens the file of this name for the text of a line in error; this one cannot be opened.
_NOWHERE = "/dev/null/code"
_PROGRAM = (
    "import json, sys; from runner.taskfile.python import fault_here; from runner.value import as_dict; "
    "fault = fault_here(sys.stdin.buffer.read().decode()); print(json.dumps(fault and as_dict(fault)))"
)


class Fault(Value):
    """What keeps a text from being Python. Line and column count from 1 and are those of the text; 0 where there are none."""

    message: str
    line: int = 0
    column: int = 0


def fault_in(code: str) -> Fault | None:
    """Return what keeps a text from being Python, or None; comes back whatever the text does to the compiler."""
    return fault_here(code) if len(code) <= _LONG else _fault_elsewhere(code)


def fault_here(code: str) -> Fault | None:
    """Return what keeps a text from being Python, or None, by compiling it in this process."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, _NOWHERE, "exec", dont_inherit=True)
    except SyntaxError as error:
        return _fault(code, error)
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return Fault(f"cannot compile this: {str(error) or 'nested too deeply'}")
    return None


def _fault(code: str, error: SyntaxError) -> Fault:
    line = max(1, error.lineno or 1)
    column = max(1, error.offset or 1)
    if error.text is None:
        # The parser counts characters and has the line at hand; what comes after it counts bytes and has not.
        text = code.split("\n")[line - 1] if line <= code.count("\n") + 1 else ""
        column = len(text.encode()[: column - 1].decode("utf-8", "ignore")) + 1
    return Fault(str(error.msg), line, column)


def _fault_elsewhere(code: str) -> Fault | None:
    # Isolated, so that nothing in this folder is taken for a module of ours or of Python's.
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
        return Fault(f"gives up on this: it is too much for its compiler, or takes longer than {_SECONDS} s")
    told = json.loads(done.stdout)
    return None if told is None else Fault(**told)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
