"""The checkout, through GitPython: what was edited and not committed."""

from __future__ import annotations

import git

from runner.errors import GitError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.location import Location


def uncommitted(location: Location) -> tuple[str, ...]:
    """Return the files of ours that differ from HEAD or are not committed at all: sorted paths below the root."""
    if location.is_bare:
        return ()
    ours = [location.prefix + FOLDER, location.prefix + SETTINGS_FILE]
    try:
        with git.Repo(location.root, search_parent_directories=True) as repo:
            # One process instead of three: porcelain output is made for programs (git-status(1)).
            answer = repo.git.status("--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *ours)
    except git.exc.GitError as error:
        raise GitError(f"git status failed: {error}", f"in {location.root}") from error
    paths = {entry[3:] for entry in answer.split("\0") if entry}
    return tuple(sorted(path.removeprefix(location.prefix) for path in paths))
