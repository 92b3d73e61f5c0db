"""Tables as lines of text. On a terminal each table says what gives way, and in which order.

Without rich: it would take longer than most ticks, and seconds for thousands of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import combining, east_asian_width

from runner.value import Value

#: What stands in the place of what was cut.
MARK = "…"
GAP = "  "
#: A column that is cut keeps so many cells; a name that is longer than its column keeps so many.
LEAST = 12
#: What switches a terminal to bold letters or to a colour, and back.
BOLD, END = "\x1b[1m", "\x1b[0m"
CODES = {"bold": BOLD, "red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "cyan": "\x1b[36m"}


class Layout(Value):
    """How a table is drawn where the terminal is too narrow for all of it.

    First the columns in `cut` become narrower, the first one first; then those in `drop` are left out, the first one first.
    All others keep their width. Where these do not fit, a cell of `name` that is longer than its column has a line of its own.
    `colours` are those of words in some of the columns.
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
    """Yield the header and the rows in so many cells of a terminal; None says that nothing is to be cut."""
    layout = table.layout
    rows = [layout.columns, *table.rows]
    natural = {
        title: max(map(cells, column)) for title, column in zip(layout.columns, zip(*rows, strict=True), strict=True)
    }
    widths = natural if width is None else _fitted(layout, natural, width)
    line = _Line(layout, widths, width, colour=colour)
    for number, row in enumerate(rows):
        yield from line.drawn(row, is_header=number == 0)


def _fitted(layout: Layout, natural: Mapping[str, int], width: int) -> dict[str, int]:
    """Return the width of each column that is shown in so many cells."""
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


class _Line:
    """Draws rows in columns of given widths."""

    def __init__(self, layout: Layout, widths: Mapping[str, int], width: int | None, *, colour: bool) -> None:
        self._shown = [(index, widths[title]) for index, title in enumerate(layout.columns) if title in widths]
        self._name = [title for title in layout.columns if title in widths].index(layout.name)
        self._width = width
        self._colour = colour
        self._colours = [layout.colours.get(title, {}) for title in layout.columns]

    def drawn(self, row: Sequence[str], *, is_header: bool) -> Iterator[str]:
        """Yield the line of a row; two where its name is longer than the column of names."""
        index, room = self._shown[self._name]
        begin = [self._cell(row, *it, is_header=is_header) for it in self._shown[: self._name]]
        rest = [self._cell(row, *it, is_header=is_header) for it in self._shown[self._name + 1 :]]
        if cells(row[index]) <= room:
            yield self._joined([*begin, self._cell(row, index, room, is_header=is_header), *rest])
            return
        before = sum(size + len(GAP) for _, size in self._shown[: self._name])
        name = row[index] if self._width is None else cut(row[index], max(LEAST, self._width - before))
        yield self._joined([*begin, name])
        yield self._joined([" " * (before + room), *rest])

    def _cell(self, row: Sequence[str], index: int, size: int, *, is_header: bool) -> str:
        text = cut(row[index], size)
        padding = " " * (size - cells(text))
        if self._colour and text:
            code = BOLD if is_header else CODES.get(self._colours[index].get(row[index], ""))
            text = text if code is None else f"{code}{text}{END}"
        return text + padding

    def _joined(self, drawn: Sequence[str]) -> str:
        return GAP.join(drawn).rstrip()


def cut(text: str, width: int) -> str:
    """Return text in so many cells of a terminal: where it is longer, a mark stands for the rest."""
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
