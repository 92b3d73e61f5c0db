"""Limits of one attempt: memory, processor time, processes, files."""

from __future__ import annotations

from datetime import timedelta

from runner.schedule.duration import format_duration
from runner.value import Value, as_dict

_SIZES = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


class Limits(Value):
    """Each limit is None where it is not set. `memory` and `file_size` are bytes, `cpu` is processor time."""

    memory: int | None = None
    cpu: timedelta | None = None
    processes: int | None = None
    open_files: int | None = None
    file_size: int | None = None

    def any(self) -> bool:
        """Return whether any limit is set."""
        return any(value is not None for value in as_dict(self).values())

    def in_words(self, name: str) -> str:
        """Return a limit with its value, as in a task file: `memory (512M)`."""
        value = getattr(self, name)
        if isinstance(value, timedelta):
            return f"{name} ({format_duration(value)})"
        return f"{name} ({format_size(value)})" if name in {"memory", "file_size"} else f"{name} ({value})"


#: No limits.
UNLIMITED = Limits()


def parse_size(text: str) -> int:
    """Return a size such as `512M`, `2G` or `100K` in bytes; units are powers of 1024. Raises ValueError."""
    factors = {letter: factor for factor, letter in _SIZES}
    digits = text[:-1] if text[-1:] in factors else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{text!r} is not a size")
    return int(digits) * factors.get(text[-1:], 1)


def format_size(size: int) -> str:
    """Return the shortest text that `parse_size` reads back as the same number."""
    for factor, letter in _SIZES:
        if size and size % factor == 0:
            return f"{size // factor}{letter}"
    return str(size)
