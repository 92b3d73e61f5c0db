"""What every command starts from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, RenderableType

from runner.errors import UsageError
from runner.operations.site import Site

#: The largest number that a run can have (https://sqlite.org/autoinc.html).
LARGEST = 2**63 - 1
#: Wide enough that no column is cut where nobody's terminal is the limit.
_PIPED_WIDTH = 400


@dataclass(frozen=True, slots=True)
class State:
    """Where the command works."""

    site: Site


def show(*renderables: RenderableType) -> None:
    """Print for people; in colour on a terminal, unless NO_COLOR says otherwise."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console = Console(markup=False, emoji=False, highlight=False, width=_PIPED_WIDTH)
    for renderable in renderables:
        console.print(renderable, soft_wrap=isinstance(renderable, str))


def show_lines(lines: Iterable[str]) -> None:
    """Print lines as they are."""
    for line in lines:
        print(line)


def write_through(data: bytes) -> None:
    """Write bytes to standard output as they are, at once and all of them. Raises OSError, ValueError where nobody reads."""
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def instant(text: str | None) -> datetime | None:
    """Return the instant that an option names, in UTC unless it says otherwise; None where it is not given. Raises UsageError."""
    moment = time(text)
    return None if moment is None else moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def time(text: str | None) -> datetime | None:
    """Return the time that an option names, naive where it carries no offset; None where it is not given. Raises UsageError."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", "write for example 2026-03-28 or 2026-03-28T22:00Z") from None


def remark(text: str) -> None:
    """Say on standard error what there is to be waited for, or what is done about it."""
    print(text, file=sys.stderr, flush=True)
