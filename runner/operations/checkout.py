"""Find where a workspace is in its repository, and which of its files are not committed or can never be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from shlex import quote

from runner.errors import GitError, RepositoryError, RunnerError, UsageError
from runner.model.problem import WARNING, Problem
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import path_of
from runner.operations.workspace import Workspace
from runner.repo.location import Location, locate
from runner.repo.uncommittable import Uncommittable, overlooked, uncommittable, uncommittable_data
from runner.repo.worktree import has_edits, list_files
from runner.store.database import reading
from runner.store.queue import run_settings
from runner.taskfile.findings import shown
from runner.taskfile.names import is_task_file
from runner.value import Value


def location(workspace: Workspace) -> Location:
    """Return where the root is in its repository. Raises GitError, UsageError where it is in none."""
    found = locate(workspace.root)
    if found.is_bare and workspace.state.startswith(workspace.root):
        raise UsageError(
            f"{workspace.root} is a bare repository, which has no place for state", "give one with --state DIR"
        )
    return found


def uncommitted(workspace: Workspace) -> tuple[str, ...]:
    """Return the files below the root that differ from the commit; none where git cannot tell (problems say so).

    Raises RepositoryError where there is no repository.
    """
    return _uncommitted(workspace, _files_of_runs(workspace))


def _uncommitted(workspace: Workspace, folders: Sequence[str]) -> tuple[str, ...]:
    try:
        found = location(workspace)  # first, because GitPython cannot be imported where git is missing
        from runner.repo.checkout import uncommitted as ask  # noqa: PLC0415 - GitPython takes 100 ms to load

        return tuple(shown(path) for path in ask(found, folders))
    except RepositoryError:
        raise
    except GitError:
        return ()


class Edits(Value):
    """How the disk differs from the commit: edited files, and the problems of files that can never be committed."""

    uncommitted: tuple[str, ...]
    never: tuple[Problem, ...]


def edits(workspace: Workspace) -> Edits:
    """Return how the disk differs from the commit; nothing where git cannot tell. Raises RepositoryError."""
    folders = _files_of_runs(workspace)
    return Edits(_uncommitted(workspace, folders), tuple(_never_committed_files(workspace.root, folders)))


def _never_committed_files(root: str, folders: Sequence[str]) -> list[Problem]:
    try:
        files = [file.path for file in list_files(root) if is_task_file(file.path)]
    except RunnerError:  # the folder tasks/ is missing
        return []
    return never_committed(root, files, folders)


def _files_of_runs(workspace: Workspace) -> tuple[str, ...]:
    """Return the paths whose files runs see, by the settings in the store."""
    with reading(workspace.database) as session:
        return run_settings(session).files


def never_committed(root: str, task_files: Sequence[str], folders: Sequence[str]) -> list[Problem]:
    """Return the files that can never be committed, of task files, `runner.yaml` and `folders`, with their problems.

    Return none where git cannot tell.
    """
    settings = [SETTINGS_FILE] if os.path.isfile(f"{root}/{SETTINGS_FILE}") else []
    try:
        tasks = uncommittable(root, [*settings, *task_files])
        # Files of `.` that git ignores are left out: they are not meant to be committed.
        data = uncommittable_data(root, [folder for folder in folders if folder != "."])
    except GitError:
        return []
    return [
        *(_never_committed(it, "it is never run") for it in tasks),
        *(_never_committed(it, "no run sees it") for it in data),
    ]


def _never_committed(found: Uncommittable, effect: str) -> Problem:
    more = f", and {found.others} more" if found.others else ""
    message = f"{effect}: {shown(found.reason)}{more}"
    return Problem(shown(found.path.rstrip("/")), 1, 1, "never-committed", WARNING, message, shown(found.hint))


def forgotten(workspace: Workspace, task_id: str) -> str | None:
    """Return a sentence where ticks do not run a task file as it is on disk; else, or where git cannot tell, None."""
    path, root = path_of(task_id), workspace.root
    try:
        found = overlooked(root, path)
        if found is not None:
            return f"{path} has edits, and ticks do not run them: {shown(found.reason)}: {found.hint}"
        if not has_edits(root, path):
            return None
    except GitError:
        return None
    name = quote(path)
    if not os.path.lexists(f"{root}/{path}"):
        return (
            f"{path} was removed from disk, which is not committed, and ticks run it as before: "
            f"git rm {name} && git commit, or bring it back: git checkout HEAD -- {name}"
        )
    return f"{path} has edits that are not committed, and ticks do not run them: git add {name} && git commit"
