"""Wrap long text on a narrow terminal. Nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator

from runner.report.table import GAP, LEAST, cells, cut


def fold_line(line: str, width: int | None) -> Iterator[str]:
    """Yield a line, wrapped where it has more than `width` cells; None wraps nothing.

    Each further line has the indent of the line and two more spaces.
    """
    if width is None or cells(line) <= width:
        yield line
        return
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    first, *rest = fold(text, width - len(indent + GAP))
    yield indent + first
    yield from (indent + GAP + part for part in rest)


def fold(text: str, width: int, *, split_words: bool = True) -> list[str]:
    """Return a text in lines of at most `width` cells, wrapped between words.

    A word that is longer than a line is split, with a mark at the end of each part but the last. Without `split_words`
    it stays whole on a line of its own, so that people can copy it.
    """
    lines = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = pieces(word, width) if split_words else [word]
        lines += whole
    return [*lines, line]


def pieces(text: str, width: int) -> Iterator[str]:
    """Yield a text in pieces of at most `width` cells, each but the last with a mark at its end."""
    width = max(width, LEAST)
    while cells(text) > width:
        piece = cut(text, width)
        yield piece
        text = text[len(piece) - 1 :]
    yield text
