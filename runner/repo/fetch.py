"""Fetch one branch of a remote, with a time limit, without a prompt, and without a change to the work tree."""

from __future__ import annotations

import os
import re

from runner.errors import GitError
from runner.repo.head import split
from runner.repo.process import explain, git, run
from runner.repo.refs import commit_of

#: Seconds that one fetch may take.
PATIENCE = 60.0
_TRACKED = "refs/remotes/"
#: A user name or password in an address; git removes it from most messages itself, but not from all.
_CREDENTIALS = re.compile(r"//[^@/\s]+@")
_OURS = ("tasks", "runner.yaml")
# A fetch updates one branch and nothing else: no tags, submodules, FETCH_HEAD or maintenance.
_OPTIONS = (
    "--quiet",
    "--no-tags",
    "--no-prune",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
)


def fetch(root: str, ref_path: str, patience: float = PATIENCE) -> None:
    """Set `refs/remotes/REMOTE/BRANCH` to the commit of that branch of the remote, also after a forced push.

    `patience` is in seconds. Raises GitError.
    """
    ref_path, _ = split(ref_path)
    remote = _remote_of(root, ref_path)
    branch = ref_path.removeprefix(f"{_TRACKED}{remote}/")
    _ask(root, patience, "fetch", *_OPTIONS, remote, f"+refs/heads/{branch}:{ref_path}")
    if _is_partial(root):
        _bring_contents(root, ref_path, patience)


def _remote_of(root: str, ref_path: str) -> str:
    names = [name for name in git(root, "remote").decode().split() if ref_path.startswith(f"{_TRACKED}{name}/")]
    if not names:
        hint = "write for example `ref: origin/main` below `git` in runner.yaml, or leave `fetch` out"
        raise GitError(f"{ref_path} is not a branch of a remote", hint)
    return max(names, key=len)


def _is_partial(root: str) -> bool:
    try:
        return bool(git(root, "config", "--get-regexp", r"^remote\..*\.promisor$"))
    except GitError:
        return False  # git-config(1) exits with 1 where it finds nothing


def _bring_contents(root: str, ref_path: str, patience: float) -> None:
    """Fetch the contents of our files that a partial clone lacks, so that a later tick does not wait for them."""
    nothing = git(root, "hash-object", "-t", "tree", "--stdin").decode().strip()
    # Counting lines needs the contents, and git requests all missing ones together.
    _ask(root, patience, "diff-tree", "-r", "--numstat", nothing, commit_of(root, ref_path), "--", *_OURS)


def _ask(root: str, patience: float, *words: str) -> None:
    code, _, stderr = run(root, *words, patience=patience, env=_no_windows())
    if code:
        raise explain(root, _CREDENTIALS.sub("//", stderr))


def _no_windows() -> dict[str, str]:
    """Return the variables that keep ssh from opening a window for a password.

    A program that the user has named to git for this is kept.
    """
    return {} if "SSH_ASKPASS_REQUIRE" in os.environ else {"SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
