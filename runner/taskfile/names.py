"""Check which files below `tasks/` are task files, and whether their names are valid."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache

from runner.model.problem import ERROR, Problem
from runner.model.task import SUFFIX, id_of
from runner.taskfile.findings import shown

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST_ID = 200


def is_task_file(path: str) -> bool:
    """Return whether a file below `tasks/` is meant as a task. Hidden files and data files are not."""
    parts = path.split("/")
    return path.lower().endswith((SUFFIX, ".yml")) and not any(part.startswith(".") for part in parts)


def why_not_read(path: str) -> str | None:
    """Return why a file below `tasks/` is not read as a task, or None where it is meant as one."""
    hidden = next((part for part in path.split("/") if part.startswith(".")), None)
    if hidden is not None:
        return f"{shown(hidden)} begins with a dot"
    return None if is_task_file(path) else f"its name does not end in {SUFFIX}"


# Cached, because it is called three times for each file of a commit.
@lru_cache(maxsize=16_384)
def check_name(path: str) -> Problem | None:
    """Return the problem of a path `tasks/…` that cannot be the id of a task, or None."""
    if not path.endswith(SUFFIX):
        return _problem(
            path, f"files that end in .{shown(path.rpartition('.')[2])} are not read", "rename it to end in .yaml"
        )
    task_id = id_of(path)
    bad = next((part for part in task_id.split("/") if not _PART.fullmatch(part)), None)
    if bad is not None:
        hint = "use letters, digits, dot, dash and underscore, and begin with a letter or digit"
        return _problem(path, f"the name '{shown(bad)}' cannot be part of a task's id", hint)
    if len(task_id) > _LONGEST_ID:
        return _problem(path, f"the id has {len(task_id)} characters; {_LONGEST_ID} is the limit", "shorten it")
    return None


def check_case(paths: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem for each file whose id differs from another id only by case.

    A file system that ignores case keeps only one of them.
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        alike[path.lower()].append(path)
    for group in alike.values():
        for path in group if len(group) > 1 else ():
            other = next(it for it in sorted(group) if it != path)
            message = f"the id differs from that of {shown(other)} only by case"
            yield Problem(shown(path), 1, 1, "id-case", ERROR, message, "rename one")


def _problem(path: str, message: str, hint: str) -> Problem:
    return Problem(shown(path), 1, 1, "file-name", ERROR, message, hint)
