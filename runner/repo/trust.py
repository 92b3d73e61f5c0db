"""Decide whether a file is trusted: a new commit that gave the file its content is signed by an allowed key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from runner.errors import GitError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.head import is_id
from runner.repo.location import git_path, locate
from runner.repo.modes import SYMLINK
from runner.repo.process import git
from runner.repo.tree import entries_below
from runner.value import Value

_OURS = (FOLDER, SETTINGS_FILE)
#: The letter for a good signature (git-log(1), %G?); no other one counts.
_GOOD = "G"
#: Signatures that one git command checks: few enough for its time limit, whatever kind their keys are.
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
_SHORT = 12

#: The content at a path: whether it is a link, and the blob; None where there is no file.
_Content = tuple[bool, str] | None


class Seen(Value):
    """The commits that were checked before.

    A signature counts once: one of these commits, or of an ancestor, is an old one.

    `commits` are those that were in force or at HEAD, the last one first. `since` has, for each path that was refused,
    the commits that were known before the refusal: the path still needs a signed commit that is newer than these.
    """

    commits: tuple[str, ...] = ()
    since: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    def before(self, path: str) -> tuple[str, ...]:
        """Return the commits that were known when a path was last accepted; none where no path ever was."""
        return self.since.get(path, self.commits)

    def after(self, root: str, commits: Iterable[str], refused: Iterable[str]) -> Seen:
        """Return what is known after these commits were checked, the one in force first, and some paths refused."""
        since = {path: self.before(path) for path in refused}
        first, *_ = now = tuple(dict.fromkeys(commits))
        there, gone = _divided(root, dict.fromkeys((*now, *self.commits)))
        ends = git(root, "merge-base", "--independent", *there).decode().split() if len(there) > 1 else there
        # A commit that is gone cannot be compared with; it is kept only as long as a path is refused.
        kept = (first, *(commit for commit in ends if commit != first), *(gone if since else ()))
        return Seen(kept, since)

    def encode(self) -> str:
        """Return a text that `decode` reads."""
        return json.dumps({"commits": self.commits, "since": dict(self.since)}, sort_keys=True)

    @classmethod
    def decode(cls, text: str) -> Seen:
        """Return what `encode` has written."""
        value = json.loads(text)
        return cls(tuple(value["commits"]), {path: tuple(before) for path, before in value["since"].items()})


class _Change(Value):
    """The commits that may have given a path its content, the last one first.

    `otherwise` is the reason where there is none.
    """

    commits: tuple[str, ...]
    otherwise: str


def refusals(
    root: str, seen: Seen, commit: str, paths: Iterable[str], signers: str, below: tuple[str, ...] = _OURS
) -> dict[str, str]:
    """Return the paths whose content at a commit is not trusted, each with the reason. Raises GitError.

    All paths are at or below those of `below`. A file lists the allowed SSH keys (ssh-keygen(1), ALLOWED SIGNERS); GPG
    keys are allowed where the keyring of this user trusts them. For a path that is gone, the commit that removed it
    counts.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        groups.setdefault(seen.before(path), []).append(path)
    now = _contents(root, commit, below) if groups else {}
    changes: dict[str, _Change] = {}
    for before, group in groups.items():
        changes |= _changes(root, before, seen.commits, commit, {path: now.get(path) for path in group}, below)
    results = _signatures(root, sorted({name for change in changes.values() for name in change.commits}), signers)
    why = {path: _why(change, results) for path, change in changes.items()}
    return {path: reason for path, reason in why.items() if reason is not None}


def _changes(
    root: str,
    before: tuple[str, ...],
    known: tuple[str, ...],
    commit: str,
    wanted: Mapping[str, _Content],
    below: tuple[str, ...],
) -> dict[str, _Change]:
    """Return the commits that changed each path; without the paths that are as they were when last accepted."""
    there, gone = _divided(root, before)
    accepted = _contents(root, before[0], below) if before and before[0] not in gone else None
    open_paths = [path for path in wanted if accepted is None or accepted.get(path) != wanted[path]]
    if not open_paths:
        return {}
    if gone:
        there = _divided(root, dict.fromkeys((*there, *known)))[0]
    history = _History.read(root, there, commit, below)
    return {path: _change(root, history, path, wanted[path], before, gone, there) for path in open_paths}


class _History(Value):
    """The new commits, children first: their parents, and the content that each gave the paths that it changed.

    A merge changes a path where its content differs from that of every parent. `cut` are the commits without whose
    parents a shallow clone was made.
    """

    parents: Mapping[str, tuple[str, ...]]
    touches: Mapping[str, list[tuple[str, _Content]]]
    cut: frozenset[str]

    @classmethod
    def read(cls, root: str, known: Iterable[str], commit: str, below: tuple[str, ...]) -> _History:
        """Return the part of a commit's history that is not in the history of the known commits."""
        asked = "\n".join((commit, *(f"^{name}" for name in known), "--", *below, ""))
        options = ("--full-history", "--topo-order", "--parents", "--stdin")
        lines = git(root, "rev-list", *options, given=asked.encode()).decode().splitlines()
        parents = {names[0]: tuple(names[1:]) for names in map(str.split, lines)}
        touches: dict[str, list[tuple[str, _Content]]] = {}
        for name, path, content in _touched(root, parents, below):
            touches.setdefault(path, []).append((name, content))
        return cls(parents, touches, _cut_off(root))

    def is_below(self, ancestor: str, commit: str) -> bool:
        """Return whether the new commit `commit` descends from the new commit `ancestor`."""
        waiting, met = [commit], {commit}
        while waiting:
            new = set(self.parents.get(waiting.pop(), ())) - met
            if ancestor in new:
                return True
            met |= new
            waiting += new
        return False


def _change(
    root: str,
    history: _History,
    path: str,
    content: _Content,
    before: tuple[str, ...],
    gone: list[str],
    there: list[str],
) -> _Change:
    touches = history.touches.get(path, [])
    # A later commit has changed the path since: the signature of the earlier one does not count.
    made = [
        commit
        for place, (commit, then) in enumerate(touches)
        if then == content and not any(history.is_below(commit, later) for later, _ in touches[:place])
    ]
    whole = tuple(commit for commit in made if commit not in history.cut)
    if gone or (history.cut and before):
        # Only a descendant of a known commit is certainly new here.
        whole = tuple(commit for commit in whole if there and _builds_upon(root, there[0], commit))
    return _Change(whole, _otherwise(history, before, gone, touches))


def _otherwise(history: _History, before: tuple[str, ...], gone: list[str], touches: list[tuple[str, _Content]]) -> str:
    if gone:
        return f"commit {gone[0][:_SHORT]}, which was known before, is gone: which commits are new cannot be found out"
    cut = next((commit for commit, _ in touches if commit in history.cut), next(iter(history.cut), None))
    if cut is not None:
        return f"which commit changed it is not known here: the clone is shallow at commit {cut[:_SHORT]}"
    if touches:
        return (
            f"commit {touches[0][0][:_SHORT]} changed it, and no commit after that gave it the content that it has now"
        )
    if before:
        return f"no commit since {before[0][:_SHORT]} changed it: its content is older, and so is every signature of it"
    return "no known commit changed it"


def _why(change: _Change, results: Mapping[str, str]) -> str | None:
    if not change.commits:
        return change.otherwise
    letters = [results.get(commit, "E") for commit in change.commits]
    if _GOOD in letters:
        return None
    return f"commit {change.commits[0][:_SHORT]} changed it, and {_IN_WORDS.get(letters[0], 'is not to be trusted')}"


def _contents(root: str, commit: str, below: tuple[str, ...]) -> dict[str, _Content]:
    """Return the content of each path at or below some paths in a commit."""
    return {path: (mode == SYMLINK, blob) for mode, blob, path in entries_below(root, commit, below)}


def _touched(root: str, commits: Iterable[str], below: tuple[str, ...]) -> Iterator[tuple[str, str, _Content]]:
    """Yield each commit, each path below the root that it changes, and the content that it gives the path."""
    prefix = locate(root).prefix
    options = ("--stdin", "-r", "-z", "-c", "--root", "--raw", "--no-renames", "--no-abbrev")
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    answer = git(root, "diff-tree", *options, "--", *below, given=asked).decode("utf-8", "surrogateescape")
    commit = ""
    fields = iter(answer.split("\0")[:-1])
    for header in fields:
        if is_id(header):
            commit = header
            continue
        # A colon for each parent, then the modes and blobs of the parents, then those of the commit (git-diff-tree(1),
        # -c).
        count = len(header) - len(header.lstrip(":"))
        words = header.lstrip(":").split(" ")
        mode, blob = words[count], words[2 * count + 1]
        yield commit, next(fields).removeprefix(prefix), (mode == SYMLINK, blob) if blob.strip("0") else None


def _divided(root: str, commits: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the commits that are in this repository, and those that are not."""
    names = list(commits)
    if not names:
        return [], []
    lines = git(root, "cat-file", "--batch-check", given="".join(f"{name}\n" for name in names).encode()).decode()
    there = [name for name, line in zip(names, lines.splitlines(), strict=True) if not line.endswith(" missing")]
    return there, [name for name in names if name not in there]


def _builds_upon(root: str, ancestor: str, commit: str) -> bool:
    try:
        git(root, "merge-base", "--is-ancestor", ancestor, commit)
    except GitError:
        return False
    return True


def _signatures(root: str, commits: list[str], signers: str) -> dict[str, str]:
    file = f"gpg.ssh.allowedSignersFile={os.path.expanduser(signers) or os.devnull}"
    results: dict[str, str] = {}
    for begin in range(0, len(commits), _BATCH):
        batch = commits[begin : begin + _BATCH]
        lines = git(root, "-c", file, "log", "--no-walk=unsorted", "--format=%H %G?", *batch).decode().splitlines()
        results |= {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
    return results


def _cut_off(root: str) -> frozenset[str]:
    """Return the commits whose parents a shallow clone lacks: their changes cannot be told from older ones."""
    try:
        with open(git_path(root, "shallow"), encoding="ascii") as file:
            return frozenset(file.read().split())
    except FileNotFoundError:
        return frozenset()
