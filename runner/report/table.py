"""Tables as lines of text. Each layout says which columns are cut or dropped on a narrow terminal, and in which order.

This module does without rich, which takes longer to load than most ticks take, and seconds for thousands of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import combining, east_asian_width

from runner.value import Value

#: Ends a text that was cut.
MARK = "…"
GAP = "  "
#: The least width, in cells, of a column or a name that is cut.
LEAST = 12
#: Escape sequences that switch a terminal to bold letters or to a colour, and back.
BOLD, END = "\x1b[1m", "\x1b[0m"
CODES = {"bold": BOLD, "red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "cyan": "\x1b[36m"}


class Layout(Value):
    """How a table is drawn where the terminal is too narrow for it.

    First the columns in `cut` become narrower, in that order. Then the columns in `drop` are left out, in that order.
    All other columns keep their width. Where these do not fit, the column `name` becomes narrower, and a name that is
    longer than its column gets a line for itself. `colours` gives, for a column, the colours of some of its words.
    """

    columns: tuple[str, ...]
    name: str
    cut: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    colours: Mapping[str, Mapping[str, str]] = {}


class Table(Value):
    """Rows of text, each with a cell for every column of the layout."""

    layout: Layout
    rows: Sequence[Sequence[str]]


def table_lines(table: Table, width: int | None = None, *, colour: bool = False) -> Iterator[str]:
    """Yield the header and the rows, at most `width` cells wide. Where `width` is None, nothing is cut."""
    layout = table.layout
    columns = dict(zip(layout.columns, zip(layout.columns, *table.rows, strict=True), strict=True))
    natural = {title: max(map(cells, column)) for title, column in columns.items()}
    widths = natural if width is None else _fitted(layout, natural, width)
    colours = {title: layout.colours.get(title, {}) if colour else None for title in widths}
    drawn = {title: _drawn(columns[title], size, colours[title]) for title, size in widths.items()}
    room = widths[layout.name]
    before = [*widths].index(layout.name)
    for name, row in zip(columns[layout.name], zip(*drawn.values(), strict=True), strict=True):
        if cells(name) <= room:
            yield GAP.join(row).rstrip()
            continue
        begin = sum(size + len(GAP) for size in [*widths.values()][:before])
        yield GAP.join((*row[:before], cut(name, max(LEAST, (width or 0) - begin))))
        yield " " * begin + GAP.join((" " * room, *row[before + 1 :])).rstrip()


def _drawn(column: Sequence[str], size: int, colours: Mapping[str, str] | None) -> list[str]:
    """Return the entries of a column, its title first, each cut or padded to `size` cells.

    Where `colours` is None, the column has no colours.
    """
    short = column if max(map(cells, column)) <= size else [cut(text, size) for text in column]
    padded = [text.ljust(size) if text.isascii() else text + " " * (size - cells(text)) for text in short]
    if colours is None:
        return padded
    title = f"{BOLD}{padded[0]}{END}"
    codes = (CODES.get(colours.get(text, "")) for text in column[1:])
    return [
        title,
        *(text if code is None else f"{code}{text}{END}" for text, code in zip(padded[1:], codes, strict=True)),
    ]


def _fitted(layout: Layout, natural: Mapping[str, int], width: int) -> dict[str, int]:
    """Return the width of each column that is shown in a table at most `width` cells wide."""
    least = {title: min(natural[title], LEAST) if title in layout.cut else natural[title] for title in natural}
    shown = [*layout.columns]
    for title in layout.drop:
        if _total(least[it] for it in shown) <= width:
            break
        shown.remove(title)
    widths = {title: natural[title] for title in shown}
    for title in (*layout.cut, layout.name):
        if title in widths:
            narrowest = LEAST if title == layout.name else least[title]
            surplus = max(0, _total(widths.values()) - width)
            widths[title] -= min(surplus, max(0, widths[title] - narrowest))
    return widths


def _total(widths: Iterable[int]) -> int:
    sizes = [*widths]
    return sum(sizes) + len(GAP) * (len(sizes) - 1)


def cut(text: str, width: int) -> str:
    """Return text of at most `width` cells: a longer one is cut, with a mark at its end."""
    if cells(text) <= width:
        return text
    kept = text[: width - 1]
    while cells(kept) >= width:
        kept = kept[:-1]
    return kept + MARK


def cells(text: str) -> int:
    """Return how many cells of a terminal text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def plain(text: str) -> str:
    """Return text on one line, with a space for each control character."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " for letter in text)
