"""What a child tells its tick about an exception, through a pipe: six texts, separated by NUL."""

from __future__ import annotations

from runner.model.ending import RunError
from runner.model.value import Value

#: A pipe takes this much without anybody reading, everywhere (pipe(7)); so a child never waits for its tick.
_LONGEST = 15_000
_LONGEST_MESSAGE = 2_000
_FIELDS = 6
_MOST_DIGITS = 9


class Report(Value):
    """The exception that ended the code, its traceback as text, and the name of the limit that it speaks of, if any."""

    __slots__ = ("error", "limit", "traceback")

    def __init__(self, error: RunError, traceback: str, limit: str = "") -> None:
        self.error = error
        self.traceback = traceback
        self.limit = limit

    def encode(self) -> bytes:
        """Return the report as bytes that fit into a pipe."""
        error = self.error
        short = [
            error.type[:200],
            _cut(error.message, _LONGEST_MESSAGE),
            error.file or "",
            str(error.line or ""),
            self.limit,
        ]
        fields = [*short, _cut(self.traceback, _LONGEST // 4)]
        return "\0".join(field.replace("\0", "\\0") for field in fields).encode("utf-8", "backslashreplace")[:_LONGEST]


def decode(data: bytes) -> Report | None:
    """Return the report in the bytes, or None where there is none: a child may die before it says anything."""
    fields = data.decode("utf-8", "replace").split("\0")
    if len(fields) != _FIELDS:
        return None
    kind, message, file, line, limit, traceback = fields
    number = int(line) if line.isascii() and line.isdigit() and len(line) <= _MOST_DIGITS else None
    return Report(RunError(kind, message, file or None, number), traceback, limit)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}\n[... {len(text) - longest} characters dropped ...]\n{text[-longest // 2 :]}"
