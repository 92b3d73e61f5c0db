"""Named facts as lines of text: what is known of one run, how everything is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from runner.report.table import BOLD, CODES, END, GAP, LEAST
from runner.value import Value


class Facts(Value):
    """Named facts, each with its text and its colour (empty for none). No text is cut: it goes on below itself."""

    facts: Sequence[tuple[str, str, str]]


def facts_lines(facts: Facts, width: int | None = None, *, colour: bool = False) -> Iterator[str]:
    """Yield facts with their names in front; in so many cells a text that is longer goes on below itself, in whole words."""
    indent = max((len(name) for name, _, _ in facts.facts), default=0) + len(GAP)
    for name, text, tint in facts.facts:
        parts = (
            [text]
            if width is None
            else wrap(text, max(LEAST, width - indent), break_long_words=False, break_on_hyphens=False)
        )
        for number, part in enumerate(parts or [""]):
            title = "" if number else name
            head = f"{BOLD}{title}{END}" if colour and title else title
            code = CODES.get(tint) if colour else None
            yield (head + " " * (indent - len(title)) + (part if code is None else f"{code}{part}{END}")).rstrip()
