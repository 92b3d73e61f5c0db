"""The packages that code needs: inline script metadata (PEP 723), a block of comments with TOML in it."""

from __future__ import annotations

import re
from typing import Any

from runner.value import Value

_BEGIN, _END = "# /// script", "# ///"
#: A requirement begins with a name (PEP 508); the rest is checked by what installs it.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\s*($|[\[<>=!~;@( ])")
_VERSION = re.compile(r"\s*(>=|<=|==|!=|~=|>|<)\s*([0-9]+(?:\.[0-9]+)*)(\.\*)?\s*")
_OF_TOML = re.compile(r"\(at line ([0-9]+), column ([0-9]+)\)")


class Metadata(Value):
    """The requirements of a script, as PEP 508 writes them, and the versions of Python that it takes, if it says."""

    dependencies: tuple[str, ...] = ()
    requires_python: str = ""


class MetadataError(Exception):
    """The block is not valid. `line` is counted from 1 in the code."""

    def __init__(self, message: str, hint: str, line: int, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.hint, self.line, self.column = message, hint, line, column


def read_metadata(code: str) -> Metadata:
    """Return the metadata in code; empty ones where there is no block. Raises MetadataError."""
    if _BEGIN not in code:
        return Metadata()
    lines = code.splitlines()
    begins = [number for number, line in enumerate(lines) if line.rstrip() == _BEGIN]
    if not begins:
        return Metadata()
    if len(begins) > 1:
        raise MetadataError("there is a second block `# /// script`", "put all packages into one", begins[1] + 1)
    begin = begins[0]
    comments = begin + 1
    while comments < len(lines) and (lines[comments] == "#" or lines[comments].startswith("# ")):
        comments += 1
    ends = [number for number in range(begin + 1, comments) if lines[number].rstrip() == _END]
    if not ends:
        raise MetadataError("the block `# /// script` has no end", "add a line `# ///` after it", begin + 1)
    return _parsed([line[2:] for line in lines[begin + 1 : ends[-1]]], begin + 2)


def _parsed(lines: list[str], first: int) -> Metadata:
    """Return the metadata in lines of TOML, of which the first one has this number in the code."""
    import tomllib  # noqa: PLC0415 - only for code with such a block

    try:
        table = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        found = _OF_TOML.search(str(error))
        line, column = (int(found[1]), int(found[2]) + 2) if found else (1, 1)
        message = f"the block `# /// script` is not TOML: {_OF_TOML.sub('', str(error)).strip()}"
        raise MetadataError(
            message, 'for example `# dependencies = ["requests<3"]`', line + first - 1, column
        ) from None
    python = table.get("requires-python", "")
    if not isinstance(python, str) or not all(_VERSION.fullmatch(part) for part in python.split(",") if python):
        message = f"`requires-python` is {python!r}, which names no versions"
        raise MetadataError(
            message, 'for example `# requires-python = ">=3.11"`', _line_of("requires-python", lines, first)
        )
    return Metadata(_dependencies(table, lines, first), python)


def _dependencies(table: dict[str, Any], lines: list[str], first: int) -> tuple[str, ...]:
    found = table.get("dependencies", [])
    line, hint = _line_of("dependencies", lines, first), 'for example `# dependencies = ["requests<3"]`'
    if not isinstance(found, list):
        raise MetadataError("`dependencies` is not a list", hint, line)
    for each in found:
        if not isinstance(each, str) or not _NAME.match(each):
            raise MetadataError(f"`dependencies` has {each!r}, which is no requirement", hint, line)
    return tuple(found)


def _line_of(key: str, lines: list[str], first: int) -> int:
    return next((number for number, line in enumerate(lines, first) if line.lstrip().startswith(key)), first)


def takes(requires_python: str, version: tuple[int, ...]) -> bool:
    """Return whether versions as `>=3.11,<4` include a version of Python (PEP 440, for numbers only)."""
    return all(_takes(part, version) for part in requires_python.split(",") if requires_python)


def _takes(part: str, version: tuple[int, ...]) -> bool:
    found = _VERSION.fullmatch(part)
    if found is None:
        return False
    named = tuple(map(int, found[2].split(".")))
    have, wanted = ((*numbers, 0, 0, 0, 0)[:4] for numbers in (version, named))
    is_same = have[: len(named)] == named if found[3] else have == wanted
    comparisons = {
        ">=": have >= wanted,
        "<=": have <= wanted,
        ">": have > wanted,
        "<": have < wanted,
        "==": is_same,
        "!=": not is_same,
        "~=": have >= wanted and have[: len(named) - 1] == named[:-1],
    }
    return comparisons[found[1]]
