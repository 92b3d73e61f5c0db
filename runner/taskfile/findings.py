"""What a check found, before it is known in which file: a problem without its path."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.problem import ERROR, Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where in the text, and what to do. Lines and columns count from 1."""

    code: str
    message: str
    hint: str = ""
    line: int = 1
    column: int = 1
    severity: str = ERROR

    def in_file(self, path: str) -> Problem:
        """Return the finding as a problem of that file."""
        return Problem(path, self.line, self.column, self.code, self.severity, self.message, self.hint)


def nearest(word: str, known: list[str]) -> str:
    """Return a hint that names the nearest of the known words, or all of them where none is near."""
    # Imported when met: only a file with a mistake needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    close = get_close_matches(word.lower(), known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
