"""List and write the files of a commit that runs see: data and modules, all but the task files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from runner.model.task import FOLDER
from runner.repo.batch import Batch
from runner.repo.modes import PROGRAM, SYMLINK, WITH_CONTENT
from runner.repo.process import git
from runner.value import Value

#: The empty tree, which git knows in every repository, by the length of its ids (SHA-1, SHA-256).
_NOTHING = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
#: Git leaves the task files out: there may be ten thousand of them beside ten others (gitglossary(7), pathspec).
_BUT_TASKS = tuple(f":(exclude,glob,icase){FOLDER}/**/*.{suffix}" for suffix in ("yaml", "yml"))
_LONGEST_LINK = 4096  # PATH_MAX
#: The mode of the folders of a checkout.
READ_ONLY = 0o555


class CommittedFile(Value):
    """A file of a commit: its path below the root, its mode as git writes it, and the id of its content."""

    path: str
    mode: str
    blob: str


def committed_files(root: str, commit: str, folders: Iterable[str]) -> list[CommittedFile]:
    """Return the files at or below some paths of a commit, without the task files. Raises GitError."""
    return [file for file in _difference(root, _NOTHING[len(commit)], commit, folders) if file.mode in WITH_CONTENT]


def changed_files(root: str, old: str | None, new: str, folders: Iterable[str]) -> list[str]:
    """Return the paths of such files that differ between two commits; without `old`, all of the new one.

    Raises GitError.
    """
    return [file.path for file in _difference(root, old or _NOTHING[len(new)], new, folders)]


def _difference(root: str, old: str, new: str, folders: Iterable[str]) -> list[CommittedFile]:
    literal = [f":(literal){folder}" for folder in folders]
    words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--relative", old, new)
    patterns = {"GIT_LITERAL_PATHSPECS": "0"}  # the exclusion is a pattern
    return list(_entries(git(root, *words, "--", *literal, *_BUT_TASKS, env=patterns)))


def _entries(stdout: bytes) -> Iterator[CommittedFile]:
    fields = iter(stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])
    for header in fields:
        _, mode, _, blob, _ = header.split(" ")
        path = next(fields)
        # A tree that was not made by git may have any name (git-fsck(1), hasDotdot).
        if not {"", ".", ".."} & {*path.split("/")}:
            yield CommittedFile(path, mode, blob)


def write_files(root: str, files: Sequence[CommittedFile], folder: str) -> None:
    """Write files, and their folders, read-only into an empty folder. Raises GitError, OSError.

    The folder itself stays writable: otherwise an ordinary user could not rename it (rename(2), EACCES).
    """
    for path in dict.fromkeys((FOLDER, *(os.path.dirname(file.path) for file in files))):
        os.makedirs(os.path.join(folder, path), exist_ok=True)
    # Links are made last, so that no file is written through one.
    ordered = sorted(files, key=lambda file: file.mode == SYMLINK)
    with Batch(root) as batch:
        for file, _ in zip(ordered, batch.each([file.blob for file in ordered]), strict=True):
            _write(batch, file, os.path.join(folder, file.path))
    for path, _, _ in os.walk(folder, topdown=False):
        if path != folder:
            os.chmod(path, READ_ONLY)
        _sync(path)


def _write(batch: Batch, file: CommittedFile, path: str) -> None:
    if file.mode == SYMLINK:
        os.symlink(batch.content(file.blob, _LONGEST_LINK), os.fsencode(path))
        return
    with open(path, "xb") as written:
        batch.copy(file.blob, written)
        os.fchmod(written.fileno(), 0o555 if file.mode == PROGRAM else 0o444)
        written.flush()
        os.fsync(written.fileno())


def _sync(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
