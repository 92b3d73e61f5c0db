"""Complete words of a command in the shell."""

from __future__ import annotations

import os

from runner.cli.folders import find_root
from runner.model.statuses import SHOWN
from runner.model.task import FOLDER, SUFFIX, id_of


def task_ids(incomplete: str) -> list[str]:
    """Return the ids of tasks in the work tree that begin with a text."""
    root = find_root(None)
    found = []
    for folder, _, names in os.walk(os.path.join(root, FOLDER)):
        paths = (os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/") for name in names)
        found += [id_of(path) for path in paths if path.endswith(SUFFIX)]
    return sorted(task_id for task_id in found if task_id.startswith(incomplete))


def statuses(incomplete: str) -> list[str]:
    """Return the statuses that begin with a text."""
    return [status for status in SHOWN if status.startswith(incomplete)]
