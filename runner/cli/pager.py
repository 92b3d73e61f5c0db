"""Send output for a terminal through the pager of the user, as git does."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys

TYPE_CHECKING = False  # the names are enough for type checkers
if TYPE_CHECKING:
    from typing import TextIO

    from typing_extensions import Buffer

#: The first of these that is set names the pager; an empty value says that none is wanted.
_VARIABLES = ("RUNNER_PAGER", "PAGER")
_DEFAULT = "less"
_SHELL = "/bin/sh"
_NO_PAGER = {"", "cat"}
#: What `less` does unless the person has said otherwise: end where one screen is enough, show colours, leave the text
#: there.
_LESS = "FRX"


class Pager:
    """Between `begin` and `end`, output goes through the pager if there is one and standard output is a terminal."""

    def __init__(self) -> None:
        self._stdout: TextIO | None = None
        self._pages: _Pages | None = None

    def begin(self) -> None:
        """Replace standard output by the pager, which is started at the first output."""
        command = _command()
        if command is None or not sys.stdout.isatty():
            return
        self._stdout, self._pages = sys.stdout, _Pages(command, sys.stdout)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(self._pages), encoding=sys.stdout.encoding, errors=sys.stdout.errors
        )

    def end(self) -> None:
        """Wait until the user leaves the pager, and restore standard output."""
        if self._stdout is None or self._pages is None:
            return
        try:
            sys.stdout.flush()
        finally:
            sys.stdout = self._stdout
            self._stdout = None
            self._pages.finish()


class _Pages(io.RawIOBase):
    """Writes to the pager. It claims to be a terminal, so that the width and colours of the terminal are used."""

    def __init__(self, command: str, terminal: TextIO) -> None:
        self._command = command
        self._terminal = terminal
        self._pager: subprocess.Popen[bytes] | None = None
        self._is_read = True

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._terminal.fileno()

    def write(self, data: Buffer, /) -> int:
        """Write to the pager.

        Output is dropped after the user has left the pager or has pressed Ctrl-C.
        """
        if self._pager is None:
            self._pager = _start(self._command)
        assert self._pager.stdin is not None  # noqa: S101 - it is a pipe
        if self._is_read:
            try:
                return self._pager.stdin.write(data) or 0
            except BrokenPipeError:
                self._is_read = False
            except KeyboardInterrupt:
                self._is_read = False
                raise
        return memoryview(data).nbytes

    def finish(self) -> None:
        """Close the input of the pager, and wait for its end. Ctrl-C is left to the pager meanwhile."""
        if self._pager is None:
            return
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            assert self._pager.stdin is not None  # noqa: S101 - it is a pipe
            self._pager.stdin.close()
            self._pager.wait()
        finally:
            signal.signal(signal.SIGINT, old)


def _start(command: str) -> subprocess.Popen[bytes]:
    environment = {"LESS": _LESS, **os.environ}
    # By convention, PAGER is a shell command (environ(7)), and the user has set it.
    return subprocess.Popen([_SHELL, "-c", command], stdin=subprocess.PIPE, bufsize=0, env=environment)


def _command() -> str | None:
    """Return the command of the pager; None where there is none, or it is not installed."""
    command = next((os.environ[name] for name in _VARIABLES if name in os.environ), _DEFAULT).strip()
    return None if command in _NO_PAGER or not _is_installed(command) else command


def _is_installed(command: str) -> bool:
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is not closed
        return False
    programs = [word for word in words if "=" not in word]
    if not programs:
        return False
    program = os.path.expanduser(os.path.expandvars(programs[0]))
    asked = [_SHELL, "-c", 'command -v "$1"', _SHELL, program]
    return subprocess.run(asked, check=False, capture_output=True).returncode == 0
