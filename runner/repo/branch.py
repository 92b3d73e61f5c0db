"""Commit a change on a new branch, ready for review, without touching the checkout: no file, no index, no HEAD."""

from __future__ import annotations

import os
import tempfile

from runner.errors import GitError, RunnerError
from runner.repo.location import locate
from runner.repo.modes import FILE
from runner.repo.process import git, run
from runner.value import Value


class NewFile(Value):
    """A file that a commit adds: its path below the root, and its text."""

    path: str
    text: str


def commit_on_branch(root: str, branch: str, base: str, file: NewFile, subject: str) -> None:
    """Make a branch with one commit on top of the commit `base`, which adds one file. Raises RunnerError, GitError.

    The author is the user that git knows. The commit is signed where `commit.gpgSign` says so. No hook runs.
    """
    name = git(root, "check-ref-format", "--branch", branch).decode().strip()
    if run(root, "show-ref", "--verify", "--quiet", f"refs/heads/{name}")[0] == 0:
        raise GitError(f"there is a branch {name} already", "choose another name")
    _check_identity(root)
    blob = git(root, "hash-object", "-w", "--stdin", "--path", file.path, given=file.text.encode()).decode().strip()
    tree = _tree_with(root, base, file.path, blob)
    signed = ["--gpg-sign"] if _is_signed(root) else []
    words = ("commit-tree", *signed, "-p", base, "-m", subject, tree)
    commit = git(root, *words, is_at_terminal=True).decode().strip()
    # The empty old value makes git refuse where the branch exists.
    git(root, "update-ref", "-m", f"branch: {subject}", f"refs/heads/{name}", commit, "")


def remote_url(root: str) -> str:
    """Return the URL of `origin`, empty where there is none."""
    try:
        return git(root, "remote", "get-url", "origin").decode().strip()
    except GitError:
        return ""


def _check_identity(root: str) -> None:
    for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if run(root, "var", who)[0]:
            raise RunnerError(
                "git does not know who makes the commit",
                'type `git config user.name "Your Name"` and `git config user.email you@example.org`',
            )


def _is_signed(root: str) -> bool:
    code, printed, _ = run(root, "config", "--type=bool", "--get", "commit.gpgSign")
    return code == 0 and printed.strip() == b"true"


def _tree_with(root: str, base: str, path: str, blob: str) -> str:
    """Return the tree of a commit with one more file, made in a temporary index."""
    prefix = locate(root).prefix
    with tempfile.TemporaryDirectory(prefix="runner-index-") as folder:
        index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        git(root, "read-tree", base, env=index)
        git(root, "update-index", "--add", "--cacheinfo", f"{FILE},{blob},{prefix}{path}", env=index)
        return git(root, "write-tree", env=index).decode().strip()
