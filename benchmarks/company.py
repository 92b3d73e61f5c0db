"""Something that keeps the machine busy while something else is measured."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from benchmarks.measure import Command

_SESSION = 3  # of the fields of /proc/PID/stat behind the name (proc_pid_stat(5))


class Company:
    """One command at a time, with the processes that it starts; all of them are killed at the end."""

    def __init__(self) -> None:
        """Begin alone."""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._leave()

    def change(self, command: Command) -> None:
        """End the command before, start another one, and return once that works in several processes."""
        self._leave()
        self._process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=command.full_environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while _members(self._process.pid) < 2:
            if self._process.poll() is not None:
                raise RuntimeError(f"{command.words} has ended before anything was measured")
            time.sleep(0.02)

    def _leave(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _members(session: int) -> int:
    """Return how many processes a session has."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found += stat.read_text(errors="replace").rpartition(")")[2].split()[_SESSION] == str(session)
        except OSError:
            continue
    return found
