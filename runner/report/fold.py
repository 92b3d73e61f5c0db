"""Text that goes on below itself where a terminal is too narrow for it. Nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

from runner.report.table import LEAST, cells, cut


def fold(text: str, width: int) -> list[str]:
    """Return the lines of a text in so many cells, in whole words. A word that is longer goes on in the next line, with a mark."""
    lines = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = pieces(word, width)
        lines += whole
    return [*lines, line]


def pieces(text: str, width: int) -> Iterator[str]:
    """Yield a text in pieces of so many cells, each but the last with a mark at its end."""
    width = max(width, LEAST)
    while cells(text) > width:
        piece = cut(text, width)
        yield piece
        text = text[len(piece) - 1 :]
    yield text
