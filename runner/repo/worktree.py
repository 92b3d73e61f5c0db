"""Read the task files of the work tree, as git would store them: what `validate` checks and `--worktree` runs."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator

from runner.errors import GitError, RunnerError
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.process import git
from runner.repo.staging import index_entries, staged
from runner.repo.tree import File, read_blobs


def read_file(root: str, path: str, largest: int) -> bytes:
    """Return the content of a file, at most `largest` + 1 bytes. Raises RunnerError."""
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read(largest + 1)
    except OSError as error:
        raise RunnerError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error


def read_settings(root: str, largest: int) -> bytes | None:
    """Return the content of `runner.yaml` that git has or would store, None where there is no such file."""
    if os.path.isfile(os.path.join(root, SETTINGS_FILE)) and not is_link(root, SETTINGS_FILE):
        content = read_file(root, SETTINGS_FILE, largest)
        return stored_contents(root, {SETTINGS_FILE: content}, largest).get(SETTINGS_FILE, content)
    return next((it for file, it in left_out(root, SETTINGS_FILE, largest).items() if not file.is_symlink), None)


def is_link(root: str, path: str) -> bool:
    """Return whether a path is a symbolic link, whose target has no history in git."""
    return os.path.islink(os.path.join(root, path))


def list_files(root: str) -> Iterator[File]:
    """Yield the files below `tasks/`, sorted, without following symbolic links; `blob` is empty.

    Raises RunnerError.
    """
    top = os.path.join(root, FOLDER)
    if not os.path.isdir(top) or os.path.islink(top):
        raise RunnerError(f"there is no folder {FOLDER}/ in {root}", "make it, and put a task file into it")
    broken: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=broken.append):
        # os.walk lists a link to a folder among the folders, and does not follow it.
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
    """Return what git has or would store, by path, of the files for which that differs from the bytes on disk.

    `contents` has the bytes on disk, by path. Without a repository, or where git cannot tell, return nothing.
    """
    try:
        entries = index_entries(root, sorted({path.partition("/")[0] for path in contents}))
        indexed = {entry.path: entry.blob for entry in entries}
        on_disk = {path: blob_id(content) for path, content in contents.items()}
        other = [path for path, blob in on_disk.items() if indexed.get(path) != blob]
        if not other:
            return {}
        with staged(root, other) as found:
            converted = {path: blob for path, blob in found.blobs.items() if blob != on_disk[path]}
            stored = dict(read_blobs(root, sorted(set(converted.values())), largest, found.env))
        return {path: stored[blob] for path, blob in converted.items()}
    except GitError:
        return {}


def left_out(root: str, below: str, largest: int) -> dict[File, bytes]:
    """Return the files at or below a path that a sparse checkout leaves out of the work tree, with their contents.

    Without a repository, or where git cannot tell, return nothing.
    """
    try:
        entries = [it for it in index_entries(root, (below,)) if it.is_skipped and not _is_there(root, it.path)]
        stored = dict(read_blobs(root, [entry.blob for entry in entries], largest))
    except GitError:
        return {}
    return {File(it.path, it.blob, is_symlink=it.is_symlink): stored[it.blob] for it in entries}


def _is_there(root: str, path: str) -> bool:
    return os.path.lexists(os.path.join(root, path))


def has_edits(root: str, path: str) -> bool:
    """Return whether a file that HEAD has differs on disk, or is missing there. Raises GitError."""
    found = git(root, "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--", path)
    return bool(found) and not found.startswith(b"A")  # in the index, and not in HEAD


def blob_id(content: bytes) -> str:
    """Return the id that git (SHA-1) gives a content; a file with a known id is not compiled again."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
