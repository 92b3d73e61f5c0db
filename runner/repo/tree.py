"""Read a commit: its task files and settings, the difference between two commits, and many blobs at once.

Paths are relative to the root, wherever it is in its repository: git reads and prints them relative to the folder it
runs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.errors import GitError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.batch import Batch
from runner.repo.modes import SYMLINK, WITH_CONTENT
from runner.repo.process import git
from runner.value import Value

_OURS = (FOLDER, SETTINGS_FILE)


class File(Value):
    """A file of a commit or of a work tree. `path` is below the root (`tasks/a.yaml`), `blob` the id of its content.

    `unreadable` says why a file or folder of a work tree cannot be read; it is empty where it can.
    """

    path: str
    blob: str
    is_symlink: bool = False
    unreadable: str = ""


class Changes(Value):
    """What differs between two commits: files that are new or changed, paths that are gone, renamed paths (old, new).

    `settings` is the blob of `runner.yaml`: empty where there is none, None where it has not changed.
    """

    files: tuple[File, ...] = ()
    gone: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    settings: str | None = None

    def touch_tasks(self) -> bool:
        """Return whether any file below `tasks/` differs."""
        return bool(self.files or self.gone)


def merge_base(root: str, one: str, other: str) -> str | None:
    """Return the last commit that both histories have (git-merge-base(1)), None where there is none."""
    try:
        return git(root, "merge-base", one, other).decode().strip()
    except GitError:
        return None


def settings_at(root: str, commit: str) -> str:
    """Return the blob of `runner.yaml` in a commit, empty where there is none. Raises GitError."""
    entries = _entries(git(root, "ls-tree", "-z", commit, "--", SETTINGS_FILE))
    return next((blob for mode, blob, _ in entries if mode in WITH_CONTENT - {SYMLINK}), "")


def everything(root: str, commit: str) -> Changes:
    """Return all task files and the settings of a commit. Raises GitError."""
    entries = list(entries_below(root, commit, _OURS))
    files = tuple(
        _file(path, mode, blob) for mode, blob, path in entries if _is_below_tasks(path) and mode in WITH_CONTENT
    )
    settings = [blob for mode, blob, path in entries if path == SETTINGS_FILE and mode in WITH_CONTENT - {SYMLINK}]
    return Changes(files, settings=settings[0] if settings else "")


def difference(root: str, old: str, new: str) -> Changes | None:
    """Return what differs between two commits in task files and settings, None where git no longer has the old commit.

    A file counts as renamed where git says so: at least half of its content is the same (gitdiffcore(7)).
    """
    try:
        answer = git(root, "diff-tree", "-r", "-z", "-M", "--raw", "--relative", old, new, "--", *_OURS)
    except GitError:
        return None
    files: list[File] = []
    gone: list[str] = []
    renamed: list[tuple[str, str]] = []
    settings = None
    fields = iter(answer.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for header in fields:
        _, mode, _, blob, status = header.split(" ")
        path = next(fields)
        if status.startswith("R"):
            old_path, path = path, next(fields)
            renamed.append((old_path, path))
            gone.append(old_path)
        if path == SETTINGS_FILE:
            settings = blob if mode in WITH_CONTENT - {SYMLINK} else ""
        elif _is_below_tasks(path) and mode in WITH_CONTENT:
            files.append(_file(path, mode, blob))
        elif not status.startswith("R"):
            gone.append(path)
    return Changes(tuple(files), tuple(gone), tuple(renamed), settings)


def entries_below(root: str, commit: str, paths: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the mode, the blob and the path of every entry at or below some paths of a commit. Raises GitError."""
    return _entries(git(root, "ls-tree", "-r", "-z", commit, "--", *paths))


def is_in(root: str, commit: str, path: str) -> bool:
    """Return whether a commit has a file of that path below the root. Raises GitError."""
    return bool(git(root, "ls-tree", "--name-only", "-z", commit, "--", path))


def read_blobs(
    root: str, blobs: Sequence[str], largest: int, env: Mapping[str, str] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Yield the id and content of each blob, through one git process; at most `largest` + 1 bytes of each.

    Raises GitError.
    """
    with Batch(root, env=env) as batch:
        for blob in batch.each(blobs):
            yield blob, batch.content(blob, largest + 1)


def _entries(answer: bytes) -> Iterator[tuple[str, str, str]]:
    for entry in answer.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        meta, _, path = entry.partition("\t")
        mode, _, blob = meta.split(" ")
        yield mode, blob, path


def _is_below_tasks(path: str) -> bool:
    return path.startswith(FOLDER + "/")


def _file(path: str, mode: str, blob: str) -> File:
    return File(path, blob, is_symlink=mode == SYMLINK)
