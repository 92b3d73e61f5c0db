"""Find where the folder that holds tasks/ is in its git repository."""

from __future__ import annotations

import os

from runner.errors import GitError
from runner.repo.process import git
from runner.value import Value


class Location(Value):
    """`root` holds tasks/; `prefix` is its path below the top of the repository, empty or ending in a slash."""

    root: str
    prefix: str
    is_bare: bool


def locate(root: str) -> Location:
    """Return where a root is in its repository. Raises GitError where it is in none, or git refuses it."""
    if not os.path.isdir(root):
        raise GitError(f"there is no folder {root}", "give the folder that holds tasks/ with --repo")
    answer = git(root, "rev-parse", "--is-bare-repository", "--is-inside-git-dir", "--show-prefix").decode(
        "utf-8", "surrogateescape"
    )
    bare, inside_git_dir, prefix = answer.split("\n", 2)
    if inside_git_dir == "true" and bare != "true":
        raise GitError(f"{root} is a .git folder", "give the folder above it with --repo")
    return Location(root, prefix.removesuffix("\n"), bare == "true")


def git_path(root: str, name: str) -> str:
    """Return where git keeps a file or folder of the repository, for example `HEAD` or `objects`. Raises GitError."""
    return os.path.join(root, os.fsdecode(git(root, "rev-parse", "--git-path", name)).removesuffix("\n"))
