"""What a child tells its tick about an exception, through a pipe: five texts, separated by NUL."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.run import RunError

#: A pipe takes this much without anybody reading, everywhere (pipe(7)); so a child never waits for its tick.
_LONGEST = 15_000
_LONGEST_MESSAGE = 2_000
_FIELDS = 5
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Report:
    """The exception that ended the code, and its traceback as text."""

    error: RunError
    traceback: str

    def encode(self) -> bytes:
        """Return the report as bytes that fit into a pipe."""
        error = self.error
        short = [
            error.type[:200],
            _cut(error.message, _LONGEST_MESSAGE),
            error.file or "",
            str(error.line or ""),
        ]
        fields = [*short, _cut(self.traceback, _LONGEST // 4)]
        return "\0".join(field.replace("\0", "\\0") for field in fields).encode("utf-8", "backslashreplace")[:_LONGEST]


def decode(data: bytes) -> Report | None:
    """Return the report in the bytes, or None where there is none: a child may die before it says anything."""
    fields = data.decode("utf-8", "replace").split("\0")
    if len(fields) != _FIELDS:
        return None
    kind, message, file, line, traceback = fields
    return Report(
        RunError(
            kind,
            message,
            file or None,
            int(line) if line.isascii() and line.isdigit() and len(line) <= _MOST_DIGITS else None,
        ),
        traceback,
    )


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}\n[... {len(text) - longest} characters dropped ...]\n{text[-longest // 2 :]}"
