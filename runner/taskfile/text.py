"""Decode the bytes of a file: UTF-8, Unix line ends, no control characters.

In such text the YAML parser and an editor count the same lines and columns.
"""

from __future__ import annotations

from functools import cache

from runner.taskfile.findings import Finding

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from re import Pattern

#: The largest file that is parsed, in bytes. Hostile files may be larger; tasks are not.
LARGEST_FILE = 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_PLAIN = bytes([0x09, 0x0A, *range(0x20, 0x7F)])


@cache
def _forbidden() -> Pattern[str]:
    """Return a pattern that finds characters which are not allowed in a file.

    Allowed are the characters of YAML 1.2, production c-printable, without NEL, LS and PS: these are line breaks in
    YAML 1.1, so that libyaml would count lines that no editor shows. The pattern is compiled at its first use, which
    takes longer than to read a file.
    """
    import re  # noqa: PLC0415 - see above

    return re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def read_text(content: bytes) -> str | Finding:
    """Return the text of a file, or a finding that says why it cannot be read."""
    if len(content) > LARGEST_FILE:
        return Finding(
            "file-size",
            "the file is larger than 1 MiB",
            "move data out of the task",
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Finding("encoding", "the file is UTF-16", "save it as UTF-8")
    if content.startswith(_BOM):
        return Finding("encoding", "the file begins with a byte order mark", "save it as UTF-8 without BOM")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _position(content[: error.start].decode("utf-8"))
        hint = "save it as UTF-8"
        return Finding("encoding", f"byte 0x{content[error.start]:02x} is not UTF-8", hint, line, column)
    if not content.translate(None, _PLAIN):
        return text
    forbidden = _forbidden().search(text)
    return text if forbidden is None else _character(text, forbidden.start())


def _character(text: str, index: int) -> Finding:
    line, column = _position(text[:index])
    character = text[index]
    if character == "\r":
        hint = "save the file with Unix line ends (LF)"
        return Finding("line-ends", "the line ends with a carriage return", hint, line, column)
    hint = "write it as an escape, such as \\u2028, or remove it"
    return Finding("character", f"the character U+{ord(character):04X} is not allowed here", hint, line, column)


def _position(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def indent_of(text: str, first_line: int, code: str) -> int:
    """Return how many columns of indentation YAML removes from each line of a literal block.

    `first_line` is the line of the text, from 1, that holds the first line of the block.
    """
    for raw, line in zip(text.split("\n")[first_line - 1 :], code.split("\n"), strict=False):
        if line.strip():
            return len(raw) - len(line)
    return 0
