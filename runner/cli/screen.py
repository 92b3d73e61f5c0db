"""Find out what the terminal can show: its width, its letters, and whether colours are wanted."""

from __future__ import annotations

import os
import sys

from runner.report.table import cells

#: Of a terminal that does not say how many it has.
_COLUMNS = 80
#: Terminals (TERM) that show no colours.
_COLOURLESS = {None, "dumb", "unknown"}


def terminal_width() -> int | None:
    """Return the columns of the terminal on standard output; None where standard output is no terminal."""
    if not sys.stdout.isatty():
        return None
    wished = os.environ.get("COLUMNS", "")
    if wished.isdecimal() and int(wished):
        return int(wished)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def has_colour() -> bool:
    """Return whether colours are wanted: with FORCE_COLOR, or on a terminal with colours; never with NO_COLOR."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") not in _COLOURLESS)


def in_width(drawn: str) -> str:
    """Return a line in which letters that the terminal cannot show are replaced by as many columns."""
    if _is_known(drawn) or not sys.stdout.isatty():
        return drawn
    return "".join(letter if _is_known(letter) else "?" * cells(letter) for letter in drawn)


def _is_known(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True
