"""What one attempt may use of the machine."""

from __future__ import annotations

from datetime import timedelta

from runner.schedule.duration import format_duration
from runner.value import Value, as_dict

_SIZES = ((1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


class Limits(Value):
    """Each is None where there is none. `memory` and `file_size` are bytes, `cpu` is time on a processor."""

    memory: int | None = None
    cpu: timedelta | None = None
    processes: int | None = None
    open_files: int | None = None
    file_size: int | None = None

    def any(self) -> bool:
        """Return whether anything is limited."""
        return any(value is not None for value in as_dict(self).values())

    def in_words(self, name: str) -> str:
        """Return one limit as a task file writes it, `memory (512M)`."""
        value = getattr(self, name)
        if isinstance(value, timedelta):
            return f"{name} ({format_duration(value)})"
        return f"{name} ({format_size(value)})" if name in {"memory", "file_size"} else f"{name} ({value})"


#: Whatever the machine has.
UNLIMITED = Limits()


def parse_size(text: str) -> int:
    """Return the bytes that a size says: `512M`, `2G`, `100K`; units are powers of 1024. Raises ValueError."""
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
