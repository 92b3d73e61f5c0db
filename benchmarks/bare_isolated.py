"""A floor: isolate a child and run one line in it, a thousand times, two at a time. Nothing is recorded."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
from types import ModuleType

_COUNT, _AT_ONCE = 1000, 2
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36  # <linux/prctl.h>
_prctl = ctypes.PyDLL(None).prctl


def _run_child(number: int, folder: str, null: int, output: int) -> None:
    """Run one line of code as a child of runner does: with its own session, folder, environment and module."""
    os.setsid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _prctl(_PR_SET_NAME, b"bare.%d" % number, 0, 0, 0)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ["RUNNER_RUN_ID"] = str(number)
    os.environ["RUNNER_TASK"] = "bare"
    os.chdir(folder)
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile("x = 1\n", "tasks/bare.yaml", "exec", dont_inherit=True), main.__dict__)
    os._exit(0)


def main() -> None:
    """Start all children, and read the output of each when it has ended."""
    compile("0", "<warm>", "exec")
    outputs: dict[int, int] = {}
    null = os.open(os.devnull, os.O_RDONLY)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(_COUNT):
            readable, writable = os.pipe()
            pid = os.fork()
            if pid == 0:
                _run_child(number, folder, null, writable)
            os.close(writable)
            outputs[pid] = readable
            if len(outputs) == _AT_ONCE:
                _wait_for_one(outputs)
        while outputs:
            _wait_for_one(outputs)


def _wait_for_one(outputs: dict[int, int]) -> None:
    pid, _ = os.wait()
    descriptor = outputs.pop(pid)
    os.read(descriptor, 65_536)
    os.close(descriptor)


if __name__ == "__main__":
    main()
