"""Bring a copy of the store to the files of the work tree, for `trial`, `dry_run` and `plan`."""

from __future__ import annotations

from datetime import datetime

from runner.adoption import Adoption, Transition
from runner.errors import RunnerError
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.model.statuses import WORKTREE
from runner.model.task import FOLDER, id_of
from runner.operations.ticking import adopt
from runner.repo import worktree
from runner.repo.tree import Changes, File
from runner.store import catalogs
from runner.store.session import Deciding
from runner.taskfile.compiler import compile_settings, compile_task
from runner.taskfile.names import is_task_file
from runner.taskfile.text import LARGEST_FILE
from runner.value import replace


def refresh_from_worktree(
    copy: Deciding, root: str, now: datetime, only: frozenset[str] | None = None
) -> tuple[Settings, list[Adoption]]:
    """Put the files of the work tree in force in a copy of the store. The store itself only gets files of commits.

    Return the settings of the work tree, and what changed for each task. Where `only` is given, the files of other
    tasks are not read, and need not be valid. Raises RunnerError.
    """
    content = worktree.read_settings(root, LARGEST_FILE)
    settings = _compiled_settings(content)
    settings_blob = worktree.blob_id(content) if content is not None else ""
    with copy.transaction():
        known = catalogs.source(copy)
        absent = worktree.left_out(root, FOLDER, LARGEST_FILE)
        listed = [*worktree.list_files(root), *absent]
        to_read = [file for file in listed if _is_read(file, only)]
        contents = contents_of(root, [file for file in to_read if file not in absent])
        contents |= {file.path: content for file, content in absent.items()}
        read, found = _compile(copy, to_read, contents, (settings, settings_blob))
        files = [read.get(file.path, replace(file, blob=file.path)) for file in listed]
        new = replace(
            known,
            commit=WORKTREE,
            head=None,
            settings_blob=settings_blob,
            settings_seen=settings_blob,
        ).settled_by(settings)
        changes = adopt.against(Changes(tuple(files)), catalogs.present_blobs(copy))
        snapshot = adopt.Snapshot(changes, found, {}, settings_blob)
        adoptions = adopt.adopt(copy, snapshot, Transition(known.commit, WORKTREE, now))
        catalogs.set_source(copy, new)
    return settings, adoptions


def settings_of(root: str) -> Settings:
    """Return the settings of the work tree. Raises RunnerError where its `runner.yaml` is not valid."""
    return _compiled_settings(worktree.read_settings(root, LARGEST_FILE))


def _compiled_settings(content: bytes | None) -> Settings:
    settings, problems = compile_settings(content) if content is not None else (Settings(), ())
    if settings is None:
        raise RunnerError(str(problems[0]), problems[0].hint)
    return settings


def _is_read(file: File, only: frozenset[str] | None) -> bool:
    return not file.is_symlink and is_task_file(file.path) and (only is None or id_of(file.path) in only)


def contents_of(root: str, files: list[File]) -> dict[str, bytes]:
    """Return what git would store for each file on disk, by path."""
    contents = {file.path: worktree.read_file(root, file.path, LARGEST_FILE) for file in files}
    return contents | worktree.stored_contents(root, contents, LARGEST_FILE)


def _compile(
    copy: Deciding, files: list[File], contents: dict[str, bytes], under: tuple[Settings, str]
) -> tuple[dict[str, File], dict[str, tuple[Problem, ...]]]:
    """Compile files under the given settings, which come with their blob.

    Return the files with their blobs, by path, and the problems of invalid files, by blob.
    """
    settings, settings_blob = under
    read: dict[str, File] = {}
    found: dict[str, tuple[Problem, ...]] = {}
    for file in files:
        content = contents[file.path]
        blob = worktree.blob_id(content)
        read[file.path] = replace(file, blob=blob)
        if catalogs.version_of(copy, blob, settings_blob) is None:
            compiled = compile_task(file.path, content, settings)
            if compiled.task is None:
                found[blob] = compiled.problems
            else:
                catalogs.add_version(copy, blob, settings_blob, compiled.task)
    return read, found
