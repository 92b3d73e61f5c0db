"""The message in which a child reports its end through a pipe: nine texts, separated by NUL."""

from __future__ import annotations

from runner.model.attempt_result import RunError
from runner.model.limits import Limits
from runner.value import Value

#: Bytes that fit into a pipe on every system, even if no process reads (pipe(7)): so a child never waits.
_LONGEST = 15_000
_LONGEST_MESSAGE = 2_000
_FIELDS = 9
_MOST_DIGITS = 9
_BEGUN = "begun"
#: The exit codes that the database can keep: 64 bits.
LEAST_CODE, LARGEST_CODE = -(2**63), 2**63 - 1


class EndMessage(Value):
    """How the code ended: by an exception, with its traceback as text, or with an exit code.

    `limit` is the name of the limit that caused the exception, or empty. `exit_code` is set where the kernel does not
    keep all of it. `has_begun` is False if the child failed before it ran the task's code. `rehearsal` is what a run
    that is rolled back would have changed, as JSON.
    """

    error: RunError | None = None
    traceback: str = ""
    limit: str = ""
    has_begun: bool = True
    exit_code: int | None = None
    rehearsal: str = ""

    def encode(self) -> bytes:
        """Return the message as bytes that fit into a pipe."""
        error = self.error or RunError("", "")
        short = [
            error.type[:200],
            _cut(error.message, _LONGEST_MESSAGE),
            error.file or "",
            str(error.line or ""),
            self.limit,
            _BEGUN if self.has_begun else "",
            "" if self.exit_code is None else str(self.exit_code),
            self.rehearsal,
        ]
        fields = [*short, _cut(self.traceback, _LONGEST // 4)]
        return "\0".join(field.replace("\0", "\\0") for field in fields).encode("utf-8", "backslashreplace")[:_LONGEST]


def decode(data: bytes) -> EndMessage | None:
    """Return the message in the bytes; None where there is none, because the child was killed before it wrote one."""
    fields = data.decode("utf-8", "replace").split("\0")
    if len(fields) != _FIELDS:
        return None
    kind, message, file, line, limit, begun, code, rehearsal, traceback = fields
    number = int(line) if line.isascii() and line.isdigit() and len(line) <= _MOST_DIGITS else None
    error = RunError(kind, message, file or None, number) if kind else None
    limit = limit if limit in Limits.__fields__ else ""
    return EndMessage(error, traceback, limit, has_begun=begun == _BEGUN, exit_code=_code(code), rehearsal=rehearsal)


def _code(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(text) <= len(str(LEAST_CODE))):
        return None
    return int(text) if LEAST_CODE <= int(text) <= LARGEST_CODE else None


def kept_by_kernel(code: int) -> int:
    """Return the eight bits of an exit code that the kernel keeps (_exit(2)); 1 where a failure would become 0."""
    if not LEAST_CODE <= code <= LARGEST_CODE:
        return 255  # as Python does
    return code & 0xFF or int(code != 0)


def _cut(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}\n[... {len(text) - longest} characters dropped ...]\n{text[-longest // 2 :]}"
