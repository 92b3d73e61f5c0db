"""A command that keeps the machine busy while another command is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from benchmarks.measure import Command

_SESSION = 3  # index among the fields of /proc/PID/stat after the name (proc_pid_stat(5))


class BackgroundLoad:
    """One background command at a time, with its processes; all of them are killed at the end."""

    def __init__(self) -> None:
        """Begin without a background command."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._kill()

    def change(self, command: Command) -> None:
        """Kill the previous command, start another one, and return when it has several processes."""
        self._kill()
        self._process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=command.full_environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while _count_processes(self._process.pid) < 2:
            if self._process.poll() is not None:
                raise RuntimeError(f"{command.words} has ended before anything was measured")
            time.sleep(0.02)

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _count_processes(session: int) -> int:
    """Return the number of processes of a session."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found += stat.read_text(errors="replace").rpartition(")")[2].split()[_SESSION] == str(session)
        except OSError:
            continue
    return found
