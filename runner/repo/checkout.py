"""List the files of the checkout that have edits which are not committed, with GitPython."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import git

from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import FILES
from runner.model.task import FOLDER
from runner.repo import process
from runner.repo.location import Location
from runner.repo.uncommittable import is_python_cache


class _Git(git.Git):
    """GitPython's commands, started by `process`: GitPython itself would expand `$x` in a path, and keep GIT_DIR."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self._root = root

    def execute(self, command: list[str], **_: Any) -> bytes:  # type: ignore[override] # the only form of the call that is used here
        """Return what a command prints. Raises GitError."""
        return process.git(self._root, *command[1:])


def uncommitted(location: Location, folders: Iterable[str] = FILES) -> tuple[str, ...]:
    """Return our files that differ from HEAD or are not committed at all: sorted paths below the root.

    `folders` are the paths whose files runs see, beside the task files.
    """
    if location.is_bare:
        return ()
    # Porcelain output is made for programs (git-status(1)).
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
    answer: bytes = _Git(location.root).status(*options, "--", FOLDER, SETTINGS_FILE, *folders)
    entries = answer.decode("utf-8", "surrogateescape").split("\0")
    paths = (entry[3:].removeprefix(location.prefix) for entry in entries if entry)
    return tuple(sorted(path for path in paths if not is_python_cache(path)))
