"""Find the files of a work tree that git will not store as they are, why, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import FOLDER
from runner.repo.process import explain, git, run
from runner.repo.staging import IndexEntry, index_entries, staged
from runner.value import Value, replace

_NOTHING_IGNORED = 1  # the exit code of git-check-ignore(1)
_PYTHON_CACHE = "__pycache__"


class Uncommittable(Value):
    """A file below the root that git will not store as it is on disk.

    `others` counts further files with the same reason.
    """

    path: str
    reason: str
    hint: str
    others: int = 0


class _Rule(Value):
    """A line of a file of patterns, as git-check-ignore(1) names it."""

    source: str
    line: str
    pattern: str


def uncommittable(root: str, paths: Sequence[str]) -> list[Uncommittable]:
    """Return which of these files on disk git will not store as they are, in the order given. Raises GitError.

    `paths` are below `tasks/`, or `runner.yaml`.
    """
    entries = index_entries(root, (FOLDER, SETTINGS_FILE))
    known = {entry.path for entry in entries} | _others(root, (FOLDER, SETTINGS_FILE))
    never = [path for path in paths if path not in known]
    submodules = {entry.path for entry in entries if entry.is_submodule}
    inside = {path: folder for path in never if (folder := _repository_above(root, path, submodules)) is not None}
    rules = _ignored(root, [path for path in never if path not in inside])
    found = {path: _in_another(path, folder, submodules) for path, folder in inside.items()}
    found |= {path: _by_rule(path, rule) for path, rule in rules.items()}
    found |= {it.path: it for it in _overlooked(root, entries, set(paths))}
    return [found[path] for path in paths if path in found]


def uncommittable_data(root: str, folders: Sequence[str]) -> list[Uncommittable]:
    """Return which files below some folders, task files aside, git will not store as they are. Raises GitError.

    Of the files that the same rule ignores, return the first; where all files of a folder are ignored, return the
    folder.
    """
    if not folders:
        return []
    entries = index_entries(root, folders)
    found = [it for it in _overlooked(root, entries, {entry.path for entry in entries}) if _is_data(it.path)]
    submodules = {entry.path for entry in entries if entry.is_submodule}
    nested = {path.rstrip("/") for path in _others(root, folders) if path.endswith("/")}
    others = [folder for folder in sorted(submodules | nested) if _has_data(root, folder)]
    found += [_in_another(folder, folder, submodules) for folder in others]
    ignored = _others(root, folders, "--ignored", "--directory")
    rules = _ignored(root, [path for path in sorted(ignored) if _has_data(root, path.rstrip("/"))])
    return [*found, *_first_of_each(rules)]


def overlooked(root: str, path: str) -> Uncommittable | None:
    """Return a file whose edits git overlooks, None where it has no edits or git sees them. Raises GitError."""
    return next(_overlooked(root, index_entries(root, (path,)), {path}), None)


def is_python_cache(path: str) -> bool:
    """Return whether a file is part of Python's cache of compiled modules."""
    return path.endswith(".pyc") or _PYTHON_CACHE in path.split("/")


def _others(root: str, paths: Sequence[str], *words: str) -> set[str]:
    """Return the files that git would add, or with `--ignored` those that it ignores; a folder ends in a slash.

    Without further words such a folder is another repository.
    """
    options = ("--others", "--exclude-standard", *words)
    return set(git(root, "ls-files", "-z", *options, "--", *paths).decode("utf-8", "surrogateescape").split("\0")[:-1])


def _repository_above(root: str, path: str, submodules: set[str]) -> str | None:
    """Return the nearest folder above a file that is another repository below the root, None where there is none."""
    folder = os.path.dirname(path)
    while folder:
        if folder in submodules or os.path.lexists(f"{root}/{folder}/.git"):
            return folder
        folder = os.path.dirname(folder)
    return None


def _in_another(path: str, folder: str, submodules: set[str]) -> Uncommittable:
    if folder in submodules:
        reason = f"it is in the submodule {folder}, whose files are not part of this repository's commits"
        return Uncommittable(path, reason, f"move it out of {folder}")
    reason = f"{folder} is another git repository, whose files are not part of this repository's commits"
    return Uncommittable(path, reason, f"move it out of {folder}, or remove {folder}/.git")


def _by_rule(path: str, rule: _Rule) -> Uncommittable:
    reason = f"git ignores it: line {rule.line} of {rule.source} has `{rule.pattern}`"
    return Uncommittable(path, reason, f"change that line, or: git add --force {quote(path)}")


def _first_of_each(rules: dict[str, _Rule]) -> Iterable[Uncommittable]:
    """Return the first file that each rule ignores, with the count of the others."""
    first: dict[_Rule, Uncommittable] = {}
    for path, rule in rules.items():
        known = first.get(rule)
        first[rule] = _by_rule(path, rule) if known is None else replace(known, others=known.others + 1)
    return first.values()


def _ignored(root: str, paths: Iterable[str]) -> dict[str, _Rule]:
    """Return the files that git ignores, each with the rule that says so. Raises GitError."""
    given = "".join(f"./{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    if not given:
        return {}
    # This command refuses literal names; a path that begins with `./` is never a pattern.
    names = {"GIT_LITERAL_PATHSPECS": "0"}
    code, stdout, stderr = run(root, "check-ignore", "-z", "-v", "--stdin", given=given, env=names)
    if code not in {0, _NOTHING_IGNORED}:
        raise explain(root, stderr)
    fields = iter(stdout.decode("utf-8", "surrogateescape").split("\0")[:-1])
    answers = zip(fields, fields, fields, fields, strict=True)
    # A rule that begins with an exclamation mark includes a file again (gitignore(5)).
    return {
        path.removeprefix("./"): _Rule(source, line, pattern)
        for source, line, pattern, path in answers
        if not pattern.startswith("!")
    }


def _overlooked(root: str, entries: Iterable[IndexEntry], wanted: set[str]) -> Iterator[Uncommittable]:
    """Yield the files on disk that differ from the index, and whose edits git overlooks. Raises GitError."""
    marked = {
        entry.path: entry
        for entry in entries
        if (entry.is_skipped or entry.is_assumed) and entry.path in wanted and _is_file(root, entry.path)
    }
    if not marked:
        return
    with staged(root, list(marked)) as found:
        edited = [path for path, blob in found.blobs.items() if blob != marked[path].blob]
    for path in edited:
        flag = "skip-worktree" if marked[path].is_skipped else "assume-unchanged"
        reason = f"git ignores its edits ({flag})"
        yield Uncommittable(path, reason, f"git update-index --no-{flag} {quote(path)}")


def _is_file(root: str, path: str) -> bool:
    return os.path.isfile(f"{root}/{path}") and not os.path.islink(f"{root}/{path}")


def _has_data(root: str, path: str) -> bool:
    """Return whether a path is, or holds, a file that is no task file and no cache."""
    if not os.path.isdir(f"{root}/{path}") or os.path.islink(f"{root}/{path}"):
        return _is_data(path)
    for folder, folders, names in os.walk(f"{root}/{path}"):
        folders[:] = [name for name in folders if name not in {_PYTHON_CACHE, ".git"}]
        if any(_is_data(os.path.relpath(f"{folder}/{name}", root)) for name in names if name != ".git"):
            return True
    return False


def _is_data(path: str) -> bool:
    return not (_is_task(path) or is_python_cache(path))


def _is_task(path: str) -> bool:
    return path == SETTINGS_FILE or (path.startswith(f"{FOLDER}/") and path.lower().endswith((".yaml", ".yml")))
