"""Read many objects through one git process, each within the time limit of any other answer of git."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from subprocess import TimeoutExpired

from runner.errors import GitError
from runner.repo.process import PATIENCE, end, late, start

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Self

_CHUNK = 65_536
#: So many ids fit into a pipe (64 KiB) before git has to be read from: neither side ever waits for the other.
_MOST_ASKED = 500


class Batch:
    """`git cat-file --batch`, which is asked for blobs by their ids.

    The part of a blob beyond the wanted size is dropped.
    """

    def __init__(self, root: str, patience: float = PATIENCE, env: Mapping[str, str] | None = None) -> None:
        self._patience = patience
        self._process = start(root, "cat-file", "--batch", env=env, is_silent=True)
        assert self._process.stdin is not None  # noqa: S101 - what PIPE means
        assert self._process.stdout is not None  # noqa: S101
        self._asked = self._process.stdin
        self._answers = self._process.stdout
        self._answered = self._answers.fileno()
        self._poll = select.poll()
        self._poll.register(self._answered, select.POLLIN)
        self._ready, self._at = b"", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokenPipeError):
            self._asked.close()
        self._answers.close()
        try:
            # Git ends when its standard input is closed.
            self._process.wait(self._patience)
        except TimeoutExpired:
            end(self._process)

    def each(self, ids: Sequence[str]) -> Iterator[str]:
        """Ask for objects, and yield the id of each; read it, by `content` or `copy`, before the next."""
        for begin in range(0, len(ids), _MOST_ASKED):
            several = ids[begin : begin + _MOST_ASKED]
            self._request(several)
            yield from several

    def _request(self, ids: Sequence[str]) -> None:
        try:
            self._asked.write("".join(f"{name}\n" for name in ids).encode())
            self._asked.flush()
        except BrokenPipeError:
            return  # the first answer that is missing raises the error

    def content(self, name: str, most: int) -> bytes:
        """Return the next object that was asked for, at most `most` bytes of it.

        Raises GitError where git does not have it.
        """
        size = self._size(name)
        content = self._read(min(size, most))
        rest = size - len(content) + 1  # a newline follows the content
        while rest:
            rest -= len(self._read(min(rest, _CHUNK)))
        return content

    def copy(self, name: str, file: IO[bytes]) -> None:
        """Write the next object that was asked for to a file, whatever its size.

        Raises GitError where git does not have it.
        """
        rest = self._size(name)
        while rest:
            part = self._read(min(rest, _CHUNK))
            file.write(part)
            rest -= len(part)
        self._read(1)  # a newline follows the content

    def _size(self, name: str) -> int:
        """Return how many bytes the next object that was asked for has. Raises GitError where git does not have it."""
        line = self._line()
        if not line:
            raise GitError(
                f"git ended before it printed the object {name}", "try again; see in the system's log what ended git"
            )
        header = line.split()
        if len(header) != 3:  # noqa: PLR2004 - id, type, size
            hint = "run `git fsck`; a partial clone needs `git fetch --refetch`"
            raise GitError(f"git has lost the object {name}", hint)
        return int(header[2])

    def _line(self) -> bytes:
        end_of_line = self._ready.find(b"\n", self._at)
        while end_of_line < 0:
            if not self._more():
                return b""
            end_of_line = self._ready.find(b"\n", self._at)
        return self._take(end_of_line + 1 - self._at)

    def _read(self, size: int) -> bytes:
        """Return the next bytes, `size` of them."""
        parts: list[bytes] = []
        while size > len(self._ready) - self._at:
            part = self._take(len(self._ready) - self._at)
            parts.append(part)
            size -= len(part)
            if not self._more():
                raise GitError("git ended in the middle of an object", "run `git fsck`")
        return b"".join((*parts, self._take(size)))

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._ready[self._at - size : self._at]

    def _more(self) -> bool:
        """Read the next part of the answer; return whether there was one. Raises GitError where none comes in time."""
        if not self._poll.poll(self._patience * 1000):
            raise late("cat-file", self._patience)
        data = os.read(self._answered, _CHUNK)
        self._ready, self._at = self._ready[self._at :] + data, 0
        return bool(data)
