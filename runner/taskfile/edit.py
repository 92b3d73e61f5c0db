"""Write a key into the text of a task file, and leave everything else as it is."""

from __future__ import annotations

import re

#: A line that begins a key of the file: not a comment, not indented.
_KEY = re.compile(r"[^\s#-]")


def with_block(text: str, key: str, lines: list[str]) -> str | None:
    """Return the text with the lines of a key in place of its old ones, or before `code`.

    Return None where the text has no such place: its keys do not begin in the first column.
    """
    old = text.splitlines(keepends=True)
    starts = [number for number, line in enumerate(old) if _KEY.match(line)]
    begin = next((number for number in starts if re.match(rf"{key}\s*:", old[number])), None)
    if begin is None:
        begin = end = next((number for number in starts if re.match(r"code\s*:", old[number])), -1)
    else:
        end = next((number for number in starts if number > begin), len(old))
        while end > begin + 1 and (not old[end - 1].strip() or old[end - 1].startswith("#")):
            end -= 1  # a comment before the next key belongs to that
    if begin < 0:
        return None
    return "".join((*old[:begin], *(f"{line}\n" for line in lines), *old[end:]))
