"""Find the one hint for an error of the YAML parser, from the line in error and the lines around it."""

from __future__ import annotations

import re

_KEY = re.compile(r"( *)([A-Za-z_][\w-]*):(?: |$)")
_NO_SPACE = re.compile(r" *([A-Za-z_][\w-]*):[^\s:]")
_BLOCK = re.compile(r" *code:\s+[|>]")
_TABS = "indent with spaces, not tabs"
_HINTS = {
    "tab character": _TABS,
    "cannot start any token": "quote text that begins with a sign such as @ or `",
    "alphabetic or numeric character": "quote text that begins with * or &",
}
_COLON = "quote the text: a colon followed by a space begins a value"


def odd_space(text: str) -> str | None:
    """Return, in words, the first space of an indentation that is no space in YAML, or None where there is none."""
    indentation = text[: len(text) - len(text.lstrip())]
    odd = next((letter for letter in indentation if letter not in " \t"), None)
    if odd is None:
        return None
    return "a no-break space (U+00A0)" if odd == "\xa0" else f"a space that is none in YAML (U+{ord(odd):04X})"


def odd_space_hint(text: str) -> str | None:
    """Return the hint for a line whose indentation has a space that is no space in YAML, or None for another line."""
    odd = odd_space(text)
    return None if odd is None else f"the line begins with {odd}: indent with ordinary spaces"


def layout_hint(message: str, text: str, line: int, column: int) -> str:
    """Return the hint for an error of the YAML parser at a line and column. Return empty text where none is known."""
    lines = text.split("\n")
    here = lines[line - 1] if line <= len(lines) else ""
    odd = odd_space_hint(here)
    if odd is not None:
        return odd
    if here[column - 1 : column] == "\t":
        return _TABS
    if "mapping values are not allowed" in message:
        return _colon_hint(lines, line)
    if "could not find expected ':'" in message or "did not find expected key" in message:
        return _indentation_hint(lines, line)
    return next((hint for part, hint in _HINTS.items() if part in message), "")


def _colon_hint(lines: list[str], line: int) -> str:
    """Return the hint for a colon where no value is allowed."""
    here, above = lines[line - 1], _above(lines, line)
    key = _KEY.match(here)
    no_space = _NO_SPACE.match(above)
    if key is not None and no_space is not None:
        return f"put a space after the colon of `{no_space[1]}`, on the line above"
    if key is not None and len(key[1]) > _indent(above):
        return f"`{key[2]}` is indented too far: the keys of a mapping begin in the same column"
    return _COLON


def _indentation_hint(lines: list[str], line: int) -> str:
    """Return the hint for a line that is neither a key of the mapping nor part of the block above it."""
    begin = next((number for number in range(line, 0, -1) if _BLOCK.match(lines[number - 1])), None)
    here = lines[line - 1]
    if begin is None:
        no_space = _NO_SPACE.match(here)
        if no_space is not None:
            return f"put a space after the colon of `{no_space[1]}`"
        return "write `key: value`, and begin the keys of a mapping in the same column"
    block = lines[begin:]
    blank = next((number for number, text in enumerate(block) if text.strip()), 0)
    first = block[blank] if block else ""
    if any(len(text) > _indent(first) for text in block[:blank]):
        return "empty the blank lines above the code: spaces on them make its indentation larger"
    if _indent(first) == _indent(lines[begin - 1]):
        return "indent the Python below `code: |` by two spaces, each line of it"
    if odd_space_hint(first) is not None:
        return str(odd_space_hint(first))
    return "indent this line as far as the first line of the code"


def _above(lines: list[str], line: int) -> str:
    """Return the nearest line above that is not blank."""
    return next((text for text in reversed(lines[: line - 1]) if text.strip()), "")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))
