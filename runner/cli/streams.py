"""The standard streams: output is written whatever the locale is, or the command reports why it cannot be written.

Every command calls `prepare` first and `finish` last, except an idle tick. Other modules need not handle these errors.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

from runner.errors import RunnerError

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from typing import TextIO

    from typing_extensions import Buffer

_STDIN, _STDOUT, _STDERR = range(3)
_ESCAPE = "runner.escape"
#: The error handlers that Python sets by locale (https://docs.python.org/3/library/sys.html#sys.stdout). Any other one
#: was chosen by the user.
_BY_DEFAULT = {"strict", "surrogateescape"}


class OutputError(RunnerError):
    """Standard output cannot be written."""


class ReaderGoneError(OutputError):
    """The reader of standard output has closed it, as `head` does. That is no failure of the command."""

    exit_code = 0


def output_error(error: OSError) -> OutputError:
    """Return the OutputError for a failed write to standard output."""
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("standard output was closed by its reader")
    return OutputError(f"standard output cannot be written: {error.strerror}")


class _Output(io.FileIO):
    """Writes to standard output. Raises OutputError at the first failed write, and drops all later output."""

    _is_broken = False

    def write(self, data: Buffer, /) -> int:
        size = len(memoryview(data))
        if self._is_broken:
            return size
        try:
            while (written := super().write(data)) is None:  # it would block
                _wait_for_room(self.fileno())
        except OSError as error:
            self._is_broken = True
            raise output_error(error) from error
        return written


class _ErrorOutput(_Output):
    """Writes to standard error, and drops what cannot be written. Only the exit code reports the failure then."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OutputError:
            return len(memoryview(data))


def prepare() -> None:
    """Replace the standard streams by ones that can encode every text. Call it before anything is printed."""
    _open_missing()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # the command that reads input refuses what is not text
    codecs.register_error(_ESCAPE, _escaped)
    sys.stdout = _stream(_Output(_STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _stream(_ErrorOutput(_STDERR, "w", closefd=False), sys.stderr)


def finish(code: int) -> int:
    """Flush the standard streams, and return the exit code. Call it last.

    It is `code`, but not 0 if the output cannot be written, and 0 if its reader has gone.
    """
    try:
        sys.stdout.flush()
    except OutputError as error:
        from runner.cli.failure import explain  # noqa: PLC0415 - most commands meet no error

        failure = explain(error)
        code = failure and (code or failure)
    sys.stderr.flush()
    return code


def _open_missing() -> None:
    """Open each closed standard descriptor: otherwise a file that is opened later gets its number and the output.

    Writing to standard output fails then. Output on standard error is lost.
    """
    for descriptor, stream, flags in (
        (_STDIN, sys.stdin, os.O_RDONLY),
        (_STDOUT, sys.stdout, os.O_RDONLY),
        (_STDERR, sys.stderr, os.O_WRONLY),
    ):
        if stream is None:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open


def _stream(raw: io.FileIO, old: TextIO | None) -> io.TextIOWrapper:
    encoding, errors = ("utf-8", "strict") if old is None else (old.encoding, old.errors)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=_ESCAPE if errors in _BY_DEFAULT else errors,
        line_buffering=raw.fileno() == _STDERR or raw.isatty(),
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return JSON escapes of the characters that cannot be encoded, and where to continue. JSON output stays valid."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - a stream for writing raises no other
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def _wait_for_room(descriptor: int) -> None:
    """Wait until a non-blocking descriptor can be written. Another process that shares it made it non-blocking."""
    import select  # noqa: PLC0415 - rarely needed

    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
