"""The task files as they lie in the work tree, for people at work: what `validate` checks and `--worktree` runs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from tempfile import TemporaryDirectory

from runner.errors import GitError, RunnerError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.process import git
from runner.repo.tree import File, read_blobs


def read_file(root: str, path: str, largest: int) -> bytes:
    """Return a file's content; of one larger than `largest` only so much, and a byte. Raises RunnerError."""
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read(largest + 1)
    except OSError as error:
        raise RunnerError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error


def read_settings(root: str, largest: int) -> bytes | None:
    """Return the content of `runner.yaml`, or None where there is none."""
    is_file = os.path.isfile(os.path.join(root, SETTINGS_FILE)) and not is_link(root, SETTINGS_FILE)
    return read_file(root, SETTINGS_FILE, largest) if is_file else None


def is_link(root: str, path: str) -> bool:
    """Return whether a path is a symbolic link: what it leads to has no history in git."""
    return os.path.islink(os.path.join(root, path))


def list_files(root: str) -> Iterator[File]:
    """Yield the files below `tasks/`, sorted, symbolic links unfollowed; `blob` is the id that git would give the content."""
    top = os.path.join(root, FOLDER)
    if not os.path.isdir(top) or os.path.islink(top):
        raise RunnerError(f"there is no folder {FOLDER}/ in {root}", "make it, and put a task file into it")
    broken: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=broken.append):
        # os.walk lists a link to a folder among the folders and does not go there.
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = sorted(set(folders) - set(links))
        for name in sorted(names + links):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield File(os.path.relpath(path, root).replace(os.sep, "/"), "", is_symlink=stat.S_ISLNK(mode))
    for error in broken:
        yield File(os.path.relpath(str(error.filename), root).replace(os.sep, "/"), "", unreadable=str(error.strerror))


def stored_contents(root: str, contents: dict[str, bytes], largest: int) -> dict[str, bytes]:
    """Return the files whose bytes on disk are not what git has or would store, each with what git would store.

    Line ends, filters and encodings of a checkout are git's own doing (gitattributes(5)). `contents` has the bytes on disk.
    Without a repository, or where git cannot say, there are none.
    """
    try:
        indexed = _indexed(root)
    except GitError:
        return {}
    # Git reads names a line each.
    other = [path for path, content in contents.items() if indexed.get(path) != blob_id(content) and "\n" not in path]
    if not other:
        return {}
    with TemporaryDirectory(prefix="runner-objects-") as folder:
        try:
            ours = os.path.join(root, os.fsdecode(git(root, "rev-parse", "--git-path", "objects")).rstrip("\n"))
            env = {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.path.abspath(ours)}
            given = "".join(f"{path}\n" for path in other).encode("utf-8", "surrogateescape")
            blobs = git(root, "hash-object", "-w", "--stdin-paths", given=given, env=env).decode().split()
            stored = dict(read_blobs(root, blobs, largest, env))
        except GitError:
            return {}
    found = {path: stored[blob] for path, blob in zip(other, blobs, strict=True)}
    return {path: content for path, content in found.items() if content != contents[path]}


def _indexed(root: str) -> dict[str, str]:
    """Return the id of the content that the index has of each of our files, by path."""
    printed = git(root, "ls-files", "-z", "--stage", "--", FOLDER, SETTINGS_FILE).decode("utf-8", "surrogateescape")
    entries = (entry.partition("\t") for entry in printed.split("\0")[:-1])
    return {path: meta.split(" ")[1] for meta, _, path in entries}


def has_edits(root: str, path: str) -> bool:
    """Return whether a file differs from the commit of HEAD, or is not in it. Raises GitError."""
    return bool(git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", path))


def blob_id(content: bytes) -> str:
    """Return the id that git (SHA-1) gives a content: unchanged files are known by it and not compiled again."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
