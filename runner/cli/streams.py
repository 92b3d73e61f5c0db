"""The standard streams: whatever is printed is written, or is an error that names it. Never an accident of the encoding.

Every command that prints more than an idle tick calls `prepare` first and `finish` last; no other module has to think of it.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

from runner.errors import RunnerError

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import TextIO

    from typing_extensions import Buffer

_STDIN, _STDOUT, _STDERR = range(3)
_ESCAPE = "runner.escape"
#: Error handlers that nobody has chosen: Python's own, by locale (https://docs.python.org/3/library/sys.html#sys.stdout).
_BY_DEFAULT = {"strict", "surrogateescape"}


class OutputError(RunnerError):
    """Standard output cannot take what a command prints."""


class ReaderGoneError(OutputError):
    """Whoever read the output has seen enough: no reason to complain."""

    exit_code = 0


def output_error(error: OSError) -> OutputError:
    """Return the error of a write to standard output, named for what it is."""
    if isinstance(error, BrokenPipeError):
        return ReaderGoneError("standard output was closed by its reader")
    return OutputError(f"standard output cannot be written: {error.strerror}")


class _Output(io.FileIO):
    """Writes to standard output. Raises OutputError once; what is printed after that is dropped, as in `finish`."""

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


class _Complaints(_Output):
    """Writes to standard error. Where that cannot be, nobody can be told, and the exit code has to say it."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OutputError:
            return len(memoryview(data))


def prepare() -> None:
    """Make the standard streams take everything that is printed; call it before anything is."""
    _fill()
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # what is no text is told where it is asked for
    codecs.register_error(_ESCAPE, _escaped)
    sys.stdout = _stream(_Output(_STDOUT, "w", closefd=False), sys.stdout)
    sys.stderr = _stream(_Complaints(_STDERR, "w", closefd=False), sys.stderr)


def finish(code: int) -> int:
    """Write what is left, and return the exit code: not 0 where that fails, and 0 where the reader has gone. Call it last."""
    try:
        sys.stdout.flush()
    except OutputError as error:
        from runner.cli.failure import explain  # noqa: PLC0415 - a tick meets no error

        failure = explain(error)
        code = failure and (code or failure)
    sys.stderr.flush()
    return code


def _fill() -> None:
    """Open each standard descriptor that the caller has closed: a file opened later would get its number, and our output.

    Standard output cannot be written then; what is said on standard error is lost.
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
        sys.stdin = open(_STDIN, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process lives


def _stream(raw: io.FileIO, old: TextIO | None) -> io.TextIOWrapper:
    encoding, errors = ("utf-8", "strict") if old is None else (old.encoding, old.errors)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=_ESCAPE if errors in _BY_DEFAULT else errors,
        line_buffering=raw.fileno() == _STDERR or raw.isatty(),
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return characters that cannot be encoded as JSON escapes them: so JSON stays JSON, and people know them, too."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - what a stream is written to raises
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)), error.end


def _wait_for_room(descriptor: int) -> None:
    """Wait until a descriptor that does not block can be written (somebody else's choice: it is shared)."""
    import select  # noqa: PLC0415 - hardly ever met

    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()
