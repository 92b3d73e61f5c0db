"""Named facts as lines of text, for `show` and `status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.report.fold import fold
from runner.report.table import BOLD, CODES, END, GAP, LEAST
from runner.value import Value


class Facts(Value):
    """Named facts, each a tuple of name, text and colour (empty for none). A long text is wrapped, never cut."""

    facts: Sequence[tuple[str, str, str]]


def facts_lines(facts: Facts, width: int | None = None, *, colour: bool = False) -> Iterator[str]:
    """Yield the lines of facts, each text after its name.

    A text that is longer than `width` cells is wrapped between words. Where `width` is None, nothing is wrapped.
    """
    indent = max((len(name) for name, _, _ in facts.facts), default=0) + len(GAP)
    for name, text, tint in facts.facts:
        parts = [text] if width is None else fold(text, max(LEAST, width - indent), split_words=False)
        for number, part in enumerate(parts):
            title = "" if number else name
            head = f"{BOLD}{title}{END}" if colour and title else title
            code = CODES.get(tint) if colour else None
            yield (head + " " * (indent - len(title)) + (part if code is None else f"{code}{part}{END}")).rstrip()
