"""A change on a branch of its own, ready to be reviewed."""

from __future__ import annotations

from runner.errors import GitError
from runner.repo.process import git


def commit_on_branch(root: str, branch: str, path: str, subject: str) -> None:
    """Make a branch here, and commit one file on it; whatever else is edited or staged stays as it is. Raises GitError."""
    git(root, "check-ref-format", "--branch", branch)
    git(root, "switch", "--quiet", "--create", branch)
    git(root, "add", "--", path)
    git(root, "commit", "--quiet", "--message", subject, "--", path, is_at_terminal=True)


def remote_url(root: str) -> str:
    """Return the URL of `origin`, empty where there is none."""
    try:
        return git(root, "remote", "get-url", "origin").decode().strip()
    except GitError:
        return ""
