"""Detect changes of the files that hold the rules of time zones (tzfile(5)), which make stored next slots wrong.

An update of the zone database replaces these files. Every tick loads this module, so it imports only `os`.
"""

import os

_SEARCH = "PYTHONTZPATH"  # where `zoneinfo` looks first


def are_unchanged(recorded: str) -> bool:
    """Return whether the files of a `describe` text are unchanged, and PYTHONTZPATH is the same."""
    if not recorded:
        return True
    search, *lines = recorded.split("\n")
    return search == os.environ.get(_SEARCH, "") and all(line == _line(line.partition("\t")[0]) for line in lines)


def describe(paths: list[str]) -> str:
    """Return the path, modification time and size of each file as text, for the store; empty without paths."""
    return "\n".join([os.environ.get(_SEARCH, ""), *map(_line, paths)]) if paths else ""


def _line(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return f"{path}\tgone"
    return f"{path}\t{found.st_mtime_ns}-{found.st_size}"
