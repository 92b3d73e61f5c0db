"""Who answers for a file: whether the commit that changed it last is signed by a key that is allowed to."""

from __future__ import annotations

import os
from collections.abc import Iterable

from runner.repo.process import git

#: What git says of a signature by one letter (git-log(1), %G?); G alone is one that counts.
_GOOD = "G"
#: So many signatures are checked long before git is given up on, whatever key they are of.
_BATCH = 200
_IN_WORDS = {
    "N": "it has no signature",
    "B": "its signature is bad",
    "U": "its key is not among the allowed ones",
    "X": "its signature has expired",
    "Y": "its key has expired",
    "R": "its key was revoked",
    "E": "its key is not known here",
}


def refusals(root: str, commit: str, paths: Iterable[str], signers: str) -> dict[str, str]:
    """Return why the content of a path at a commit is not to be trusted, for each path of which that is so. Raises GitError.

    SSH keys are allowed by a file (ssh-keygen(1), ALLOWED SIGNERS), GPG keys by the keyring of this user, which has to trust them.
    A path that is gone was changed by the commit that removed it.
    """
    last = {path: _last_change(root, commit, path) for path in paths}
    said = _signatures(root, sorted({found for found in last.values() if found}), signers)
    cut = _cut_off(root)
    why = {path: _why(found, said, cut) for path, found in last.items()}
    return {path: reason for path, reason in why.items() if reason is not None}


def _last_change(root: str, commit: str, path: str) -> str:
    # As git simplifies a history: a merge counts where what it has is from none of its parents.
    return git(root, "--literal-pathspecs", "log", "-1", "--format=%H", commit, "--", path).decode().strip()


def _signatures(root: str, commits: list[str], signers: str) -> dict[str, str]:
    file = f"gpg.ssh.allowedSignersFile={os.path.expanduser(signers) or os.devnull}"
    said: dict[str, str] = {}
    for begin in range(0, len(commits), _BATCH):
        batch = commits[begin : begin + _BATCH]
        lines = git(root, "-c", file, "log", "--no-walk=unsorted", "--format=%H %G?", *batch).decode().splitlines()
        said |= {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
    return said


def _cut_off(root: str) -> frozenset[str]:
    """Return the commits below which a shallow clone has nothing: what they seem to change is older than they are."""
    try:
        with open(
            os.path.join(root, git(root, "rev-parse", "--git-path", "shallow").decode().strip()), encoding="ascii"
        ) as file:
            return frozenset(file.read().split())
    except FileNotFoundError:
        return frozenset()


def _why(commit: str, said: dict[str, str], cut: frozenset[str]) -> str | None:
    if not commit:
        return "no commit is known that changed it"
    if commit in cut:
        return f"who changed it is not known here: the clone is shallow at commit {commit[:12]}"
    letter = said.get(commit, "E")
    return (
        None
        if letter == _GOOD
        else f"commit {commit[:12]} changed it, and {_IN_WORDS.get(letter, 'is not to be trusted')}"
    )
