"""What a check of a text found: a problem without the path of its file."""

from __future__ import annotations

from runner.model.problem import ERROR, Problem
from runner.value import Value

_LONGEST = 400


class Finding(Value):
    """What is wrong, at which line and column (from 1), and what to do."""

    code: str
    message: str
    hint: str = ""
    line: int = 1
    column: int = 1
    severity: str = ERROR

    def in_file(self, path: str) -> Problem:
        """Return the finding as a problem of that file."""
        message, hint = shown(self.message), shown(self.hint)
        return Problem(shown(path), self.line, self.column, self.code, self.severity, message, hint)


def shown(text: str) -> str:
    """Return text on one line of at most 400 characters, with control characters as escapes."""
    plain = "".join(letter if letter.isprintable() else _escape(letter) for letter in text)
    return plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…"


def _escape(letter: str) -> str:
    if "\udc80" <= letter <= "\udcff":  # a byte of a file's name that is not UTF-8 (PEP 383)
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def nearest(word: str, known: list[str], alike: float = 0.6) -> str:
    """Return a hint that names the most similar known word, or all known words where none is similar enough.

    `alike` is the least similarity, from 0 to 1, as difflib measures it.
    """
    close = close_to(word.lower(), known, alike)
    return f"did you mean `{close}`?" if close else f"known are {', '.join(known)}"


def close_to(word: str, known: list[str], alike: float = 0.6) -> str | None:
    """Return the most similar known word; None where none is similar enough."""
    # Imported here, because only a file with a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    return next(iter(get_close_matches(word, known, n=1, cutoff=alike)), None)
