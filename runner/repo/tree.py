"""What stands in a commit: the tree of `tasks/`, its files, the difference of two such trees, and many blobs in one go."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runner.errors import GitError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.location import Location
from runner.repo.process import environment, git

_SYMLINK = "120000"
_FILES = {"100644", "100755", _SYMLINK}
#: So many ids fit into a pipe (64 KiB) before git has to be read from: neither side ever waits for the other.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class File:
    """A file of a snapshot. `path` is below the root (`tasks/a.yaml`), `blob` the id of its content."""

    path: str
    blob: str
    is_symlink: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """From one tree to another: files that are new or changed, paths that are gone, and (old, new) of those renamed."""

    changed: tuple[File, ...]
    gone: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Roots:
    """What a commit has of ours: the tree of `tasks/` and the blob of `runner.yaml`, each None where it is missing."""

    commit: str
    tasks_tree: str | None
    settings_blob: str | None


def resolve(location: Location, ref: str) -> str:
    """Return the commit that a ref names. Raises GitError."""
    try:
        answer = git(location.root, "rev-parse", "--verify", "--end-of-options", ref + "^{commit}")
    except GitError as error:
        if "is not installed" in error.message or "refuses" in error.message:
            raise
        if ref == "HEAD":
            raise GitError(
                "the repository has no commit yet", "commit your tasks: git add tasks && git commit"
            ) from error
        raise GitError(
            f"there is no ref {ref!r} in the repository", "mend `ref` in runner.yaml, or fetch it"
        ) from error
    return answer.decode().strip()


def full_name(location: Location, ref: str) -> str:
    """Return the full name of a ref (`refs/remotes/origin/main`), or the ref itself where it has none."""
    answer = git(location.root, "rev-parse", "--symbolic-full-name", "--end-of-options", ref).decode().split()
    return "HEAD" if ref == "HEAD" or not answer else answer[-1]


def roots(location: Location, commit: str) -> Roots:
    """Return what a commit has of ours. Raises GitError."""
    paths = [location.prefix + FOLDER, location.prefix + SETTINGS_FILE]
    found = {}
    for mode, kind, blob, path in _entries(git(location.root, "ls-tree", "-z", "--full-tree", commit, "--", *paths)):
        found[path] = blob if (kind == "tree" or mode in _FILES - {_SYMLINK}) else None
    return Roots(commit, found.get(paths[0]), found.get(paths[1]))


def listing(location: Location, tree: str) -> tuple[File, ...]:
    """Return every file of a tree of tasks."""
    entries = _entries(git(location.root, "ls-tree", "-r", "-z", "--full-tree", tree))
    return tuple(_file(path, mode, blob) for mode, _, blob, path in entries if mode in _FILES)


def difference(location: Location, old: str, new: str) -> Difference | None:
    """Return what changed between two trees of tasks, or None where git no longer has the old one.

    A file counts as renamed where git says so by its own measure (half of its lines, gitdiffcore(7)).
    """
    try:
        answer = git(location.root, "diff-tree", "-r", "-z", "-M", "--raw", old, new)
    except GitError:
        return None
    changed: list[File] = []
    gone: list[str] = []
    renamed: list[tuple[str, str]] = []
    fields = iter(answer.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for header in fields:
        _, mode, _, blob, status = header.split(" ")
        path = next(fields)
        if status.startswith("R"):
            old_path, path = path, next(fields)
            renamed.append((_below_root(old_path), _below_root(path)))
            gone.append(_below_root(old_path))
        if mode in _FILES:
            changed.append(_file(path, mode, blob))
        elif not status.startswith("R"):
            gone.append(_below_root(path))
    return Difference(tuple(changed), tuple(gone), tuple(renamed))


def read_blobs(location: Location, blobs: Sequence[str], largest: int) -> Iterator[tuple[str, bytes]]:
    """Yield each blob's id and content, through one git process; of one larger than `largest` only so much, and a byte."""
    command = ["git", "-C", location.root, "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdin is not None  # noqa: S101 - what PIPE means
        assert process.stdout is not None  # noqa: S101
        for begin in range(0, len(blobs), _BATCH):
            batch = blobs[begin : begin + _BATCH]
            process.stdin.write("".join(f"{blob}\n" for blob in batch).encode())
            process.stdin.flush()
            for blob in batch:
                yield blob, _read_one(process.stdout, blob, largest)
        process.stdin.close()


def _read_one(stream: object, blob: str, largest: int) -> bytes:
    header = stream.readline().split()  # type: ignore[attr-defined] # a binary stream
    if len(header) != 3:  # noqa: PLR2004 - id, type, size
        raise GitError(f"git has lost the object {blob}", "run `git fsck`; a partial clone needs `git fetch --refetch`")
    rest = int(header[2])
    content = bytes(stream.read(min(rest, largest + 1)))  # type: ignore[attr-defined]
    rest -= len(content)
    while rest:
        rest -= len(stream.read(min(rest, 1 << 20)))  # type: ignore[attr-defined]
    stream.read(1)  # type: ignore[attr-defined] # the newline behind the content
    return content


def _entries(answer: bytes) -> Iterator[tuple[str, str, str, str]]:
    for entry in answer.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        meta, _, path = entry.partition("\t")
        mode, kind, blob = meta.split(" ")
        yield mode, kind, blob, path


def _file(path: str, mode: str, blob: str) -> File:
    return File(_below_root(path), blob, is_symlink=mode == _SYMLINK)


def _below_root(path: str) -> str:
    return f"{FOLDER}/{path}"
