"""Files of a work tree that git will never store, whatever is edited: which there are, why, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from runner.repo.process import explain, git, run
from runner.value import Value

_NOTHING_IGNORED = 1  # the exit code of git-check-ignore(1)
#: How ls-files(1) -v marks a file of the index whose edits git is told to overlook.
_SKIPPED = "S"


class Uncommittable(Value):
    """A file below the root that git will not store as it is on disk."""

    path: str
    reason: str
    hint: str


def uncommittable(root: str, paths: Sequence[str]) -> list[Uncommittable]:
    """Return which of these files on disk can never be committed as they are, in the order given. Raises GitError."""
    inside = {path: other for path in paths if (other := _repository_above(root, path)) is not None}
    found = {path: _in_another(root, path, other) for path, other in inside.items()}
    others = [path for path in paths if path not in inside]
    found |= {it.path: it for it in (*_ignored(root, others), *_overlooked(root, others))}
    return [found[path] for path in paths if path in found]


def _repository_above(root: str, path: str) -> str | None:
    """Return the nearest folder below the root that is a repository of its own and holds the file."""
    folder = os.path.dirname(path)
    while folder:
        if os.path.lexists(f"{root}/{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)
    return None


def _in_another(root: str, path: str, folder: str) -> Uncommittable:
    if os.path.isfile(f"{root}/{folder}/.git"):
        reason = f"it is in the submodule {folder}, whose files are not part of this repository's commits"
        return Uncommittable(path, reason, f"move it out of {folder}")
    reason = f"{folder} is a git repository of its own, whose files are not part of this repository's commits"
    return Uncommittable(path, reason, f"move it out of {folder}, or remove {folder}/.git")


def _ignored(root: str, paths: Iterable[str]) -> Iterator[Uncommittable]:
    given = "".join(f"./{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    if not given:
        return
    # This command refuses to take names literally; behind a dot and a slash none is a pattern.
    names = {"GIT_LITERAL_PATHSPECS": "0"}
    code, printed, said = run(root, "check-ignore", "-z", "-v", "--stdin", given=given, env=names)
    if code not in {0, _NOTHING_IGNORED}:
        raise explain(root, said)
    fields = iter(printed.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for source, line, pattern, path in zip(fields, fields, fields, fields, strict=True):
        if not pattern.startswith("!"):  # such a rule takes a file back in
            reason = f"git ignores it: line {line} of {source} has `{pattern}`"
            plain = path.removeprefix("./")
            yield Uncommittable(plain, reason, f"change that line, or: git add --force {quote(plain)}")


def _overlooked(root: str, paths: Iterable[str]) -> Iterator[Uncommittable]:
    """Yield the files whose edits git is told to overlook, where they differ from what is committed."""
    wanted = set(paths)
    marked = {}
    for entry in git(root, "ls-files", "-z", "-v").decode("utf-8", "surrogateescape").split("\0")[:-1]:
        mark, _, path = entry.partition(" ")
        if path in wanted and (mark == _SKIPPED or mark.islower()):
            marked[path] = "skip-worktree" if mark.upper() == _SKIPPED else "assume-unchanged"
    for path, flag in marked.items():
        staged = git(root, "ls-files", "-z", "--stage", "--", path).decode("utf-8", "surrogateescape").split(" ")[1]
        if git(root, "hash-object", "--", path).decode().strip() != staged:
            reason = f"git is told to overlook its edits ({flag})"
            yield Uncommittable(path, reason, f"git update-index --no-{flag} {quote(path)}")
