"""Find what git would store of files of a work tree, with a temporary index and a temporary object folder.

Git converts line ends, encodings and filtered contents (gitattributes(5)), so git is asked. The repository does not
change: nothing is added to its index or its objects, and no hook runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from runner.repo.location import git_path
from runner.repo.modes import SUBMODULE, SYMLINK
from runner.repo.process import explain, git, run
from runner.value import Value

_SKIPPED = "S"
_SETTINGS = (
    # A split index and a hook would write into the repository; core.safecrlf=true would make a warning an error.
    *("-c", "core.splitIndex=false", "-c", f"core.hooksPath={os.devnull}", "-c", "core.safecrlf=false"),
)
#: Give up after a filter has refused this many files: it refuses all of them.
_MOST_REFUSED = 20


class IndexEntry(Value):
    """A path in the index: the id and the mode of its content, and the mark of ls-files(1) -v."""

    path: str
    blob: str
    mode: str
    mark: str

    @property
    def is_submodule(self) -> bool:
        """Whether it is the commit of another repository."""
        return self.mode == SUBMODULE

    @property
    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == SYMLINK

    @property
    def is_skipped(self) -> bool:
        """Whether git ignores the file on disk (skip-worktree), as for files that a sparse checkout leaves out."""
        return self.mark in {_SKIPPED, _SKIPPED.lower()}

    @property
    def is_assumed(self) -> bool:
        """Whether git assumes that the file is unchanged (assume-unchanged)."""
        return self.mark.islower() and not self.is_skipped


class Staged(Value):
    """The ids of the contents that git would store, by path, and the environment in which git finds these objects."""

    blobs: Mapping[str, str]
    env: Mapping[str, str]


def index_entries(
    root: str, paths: Sequence[str] = (), env: Mapping[str, str] | None = None, *, full_names: bool = False
) -> list[IndexEntry]:
    """Return the entries of the index at and below some paths, or all below the root. Raises GitError."""
    words = ("--full-name",) if full_names else ()
    printed = git(root, "ls-files", "-z", "-v", "--stage", *words, "--", *paths, env=env)
    return [_entry(line) for line in printed.decode("utf-8", "surrogateescape").split("\0")[:-1]]


def _entry(line: str) -> IndexEntry:
    header, _, path = line.partition("\t")
    mark, mode, blob, _ = header.split(" ")
    return IndexEntry(path, blob, mode, mark)


@contextmanager
def staged(root: str, paths: Sequence[str]) -> Iterator[Staged]:
    """Yield what git would store of some files, without those that a filter refuses. Raises GitError."""
    with TemporaryDirectory(prefix="runner-objects-") as folder:
        env = _environment(root, folder)
        _copy_index(root, env)
        added = _add(root, paths, env)
        found = index_entries(root, env=env)
        yield Staged({entry.path: entry.blob for entry in found if entry.path in added}, env)


def _environment(root: str, folder: str) -> dict[str, str]:
    escaped = os.path.abspath(git_path(root, "objects")).replace("\\", "\\\\").replace('"', '\\"')
    return {
        "GIT_INDEX_FILE": f"{folder}/index",
        "GIT_OBJECT_DIRECTORY": folder,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{escaped}"',  # without quotation marks a colon would end it
    }


def _copy_index(root: str, env: Mapping[str, str]) -> None:
    """Copy git's index to ours without marks: what git stores depends on it (gitattributes(5), `text=auto`)."""
    entries = [entry for entry in index_entries(root, full_names=True) if not entry.is_submodule]
    lines = {entry.path: f"{entry.mode} {entry.blob}\t{entry.path}\0" for entry in entries}
    given = "".join(lines.values()).encode("utf-8", "surrogateescape")
    git(root, *_SETTINGS, "update-index", "-z", "--index-info", given=given, env=env)


def _add(root: str, paths: Sequence[str], env: Mapping[str, str]) -> set[str]:
    """Return which files were added to our index.

    Git adds none where a filter refuses one, so it is asked again without that.
    """
    words = (*_SETTINGS, "update-index", "-z", "--add", "--remove", "--replace", "--stdin")
    added, stderr = set(paths), ""
    for _ in range(_MOST_REFUSED):
        given = "".join(f"{path}\0" for path in paths if path in added).encode("utf-8", "surrogateescape")
        code, _, stderr = run(root, *words, given=given, env=env)
        if not code:
            return added
        refused = _refused(added, stderr)
        if refused is None:
            break
        added.remove(refused)
    raise explain(root, stderr)


def _refused(paths: Iterable[str], stderr: str) -> str | None:
    """Return the file that git refused, by its error message, None where the message names none."""
    last = next((line for line in reversed(stderr.splitlines()) if line.startswith("fatal: ")), "")
    return max((path for path in paths if path in last), key=len, default=None)
