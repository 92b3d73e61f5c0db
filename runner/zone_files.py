"""Whether the rules of time zones have changed since next slots were computed: the files that hold them, and where those are.

Read by every tick, so that it imports nothing else. An update of the zone database replaces files (tzfile(5)).
"""

import os

_SEARCH = "PYTHONTZPATH"  # where `zoneinfo` looks first


def are_unchanged(recorded: str) -> bool:
    """Return whether the files that `describe` has described are the same, and looked for in the same places."""
    if not recorded:
        return True
    search, *lines = recorded.split("\n")
    return search == os.environ.get(_SEARCH, "") and all(line == _line(line.partition("\t")[0]) for line in lines)


def describe(paths: list[str]) -> str:
    """Return what tells the files of zones from others, for a store to keep; empty where there are none."""
    return "\n".join([os.environ.get(_SEARCH, ""), *map(_line, paths)]) if paths else ""


def _line(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return f"{path}\tgone"
    return f"{path}\t{found.st_mtime_ns}-{found.st_size}"
