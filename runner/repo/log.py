"""Read commits from git's log: who made them, when, and their subject."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from runner.errors import GitError
from runner.model.commit import Commit
from runner.repo.forge import commit_page
from runner.repo.head import commit_at
from runner.repo.process import git

# The fixed lines come first, because a message may contain anything but NUL.
_FORMAT = "--format=%H%n%an%n%aI%n%s%n%b"
#: Options that undo what a configuration could add to the output.
_PLAIN = ("--no-show-signature", "--no-color", "--no-decorate", "--no-mailmap", "--no-notes", "--encoding=UTF-8")
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
#: As GitHub, GitLab, Bitbucket and Azure write the number, in merges and in squashed commits.
_PULL_REQUEST = (
    re.compile(r"^Merge pull request #(\d+)"),
    re.compile(r"^Merged PR (\d+):"),
    re.compile(r"\((?:pull request )?#(\d+)\)$", re.MULTILINE),
    re.compile(r"^See merge request \S*!(\d+)$", re.MULTILINE),
)


def commits(root: str, ids: Iterable[str]) -> dict[str, Commit]:
    """Return commits by id, without those that git does not have; none where there is no repository."""
    wanted = sorted({name for name in ids if _ID.fullmatch(name)})
    if not wanted:
        return {}
    try:
        found = _log(root, "--no-walk=unsorted", "--ignore-missing", *wanted)
    except GitError:
        return {}
    return {commit.id: commit for commit in found}


def history_of(root: str, since: str | None, until: str, path: str) -> tuple[Commit, ...] | None:
    """Return the commits after `since` up to `until` that changed a file, newest first, also under its earlier names.

    None where git cannot tell: a shallow clone, a history that was rewritten.
    """
    span = until if since is None else f"{since}..{until}"
    try:
        return tuple(_log(root, "--follow", span, "--", path))
    except GitError:
        return None


def last_touching(root: str, commit: str, path: str, pattern: str = "") -> Commit | None:
    """Return the last commit up to `commit` that changed a path, None where there is none.

    With a pattern, return the last one that changed a line which matches it: a basic regular expression (git-log(1),
    `-G`).
    """
    lines = [f"-G{pattern}", "--text", "--no-ext-diff", "--no-textconv"] if pattern else []
    try:
        return next(iter(_log(root, "-1", *lines, commit, "--", path)), None)
    except GitError:
        return None


def _log(root: str, *words: str) -> list[Commit]:
    answer = git(root, "log", "-z", *_PLAIN, _FORMAT, *words).decode("utf-8", "replace")
    page = _page(root)
    return [_commit(entry, page) for entry in answer.split("\0") if entry]


def _commit(entry: str, page: str | None) -> Commit:
    name, author, authored_at, subject, body = entry.split("\n", 4)
    return Commit(
        name,
        author,
        datetime.fromisoformat(authored_at),
        subject,
        _pull_request(f"{subject}\n{body}"),
        None if page is None else page + name,
    )


def _pull_request(message: str) -> int | None:
    for pattern in _PULL_REQUEST:
        match = pattern.search(message)
        if match is not None and len(match[1]) < _MOST_DIGITS:
            return int(match[1])
    return None


_MOST_DIGITS = 10


def _page(root: str) -> str | None:
    try:
        remote = git(root, "config", "--get", "remote.origin.url").decode("utf-8", "replace").strip()
    except GitError:
        return None
    return commit_page(remote)


def count_between(root: str, old: str, ref_path: str) -> int | None:
    """Return how many commits the ref `ref_path` has that are not in `old`, None where git cannot tell."""
    new = commit_at(root, ref_path)
    try:
        return None if new is None else int(git(root, "rev-list", "--count", f"{old}..{new}"))
    except GitError:
        return None
