"""What to do about text that the YAML parser refuses: one hint, by what stands on the line."""

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
_COLON = "quote the text: a colon and a space in it would begin a value"


def odd_space(text: str) -> str | None:
    """Return the first space of an indentation that is none to YAML, in words; None where there is none."""
    indentation = text[: len(text) - len(text.lstrip())]
    odd = next((letter for letter in indentation if letter not in " \t"), None)
    if odd is None:
        return None
    return "a no-break space (U+00A0)" if odd == "\xa0" else f"a space that YAML does not know (U+{ord(odd):04X})"


def odd_space_hint(text: str) -> str | None:
    """Return what to do about a line that is indented with a space that YAML does not know; None where it is not."""
    odd = odd_space(text)
    return None if odd is None else f"the line begins with {odd}: indent with ordinary spaces"


def layout_hint(message: str, text: str, line: int, column: int) -> str:
    """Return what to do about an error of the YAML parser at a place of a text; nothing where that is not known."""
    lines = text.split("\n")
    here = lines[line - 1] if line <= len(lines) else ""
    odd = odd_space_hint(here)
    if odd is not None:
        return odd
    if here[column - 1 : column] == "\t":
        return _TABS
    if "mapping values are not allowed" in message:
        return _against_value(lines, line)
    if "could not find expected ':'" in message or "did not find expected key" in message:
        return _against_indentation(lines, line)
    return next((hint for part, hint in _HINTS.items() if part in message), "")


def _against_value(lines: list[str], line: int) -> str:
    """Return what to do about a colon that begins no value."""
    here, above = lines[line - 1], _above(lines, line)
    key = _KEY.match(here)
    no_space = _NO_SPACE.match(above)
    if key is not None and no_space is not None:
        return f"put a space after the colon of `{no_space[1]}`, on the line above"
    if key is not None and len(key[1]) > _indent(above):
        return f"`{key[2]}` is indented too far: the keys of a mapping begin in the same column"
    return _COLON


def _against_indentation(lines: list[str], line: int) -> str:
    """Return what to do about a line that belongs to nothing."""
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
