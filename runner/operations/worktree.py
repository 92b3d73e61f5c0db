"""Bring the store to the files of the work tree, for people at work: `tick --worktree`, `run --worktree`."""

from __future__ import annotations

from datetime import datetime

from runner.adoption import Adoption, Moment
from runner.errors import RunnerError
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.operations import adopt
from runner.repo import worktree
from runner.repo.tree import Changes, File
from runner.store import catalogs
from runner.store.session import Deciding
from runner.taskfile.compiler import compile_settings, compile_task
from runner.taskfile.names import is_task_file
from runner.taskfile.text import LARGEST_FILE
from runner.value import replace

#: Stands where a commit id would: these tasks are from no commit.
COMMIT = "worktree"


def refresh_from_worktree(session: Deciding, root: str, now: datetime) -> tuple[Settings, list[Adoption]]:
    """Put the files of the work tree in force, until the next tick reads a commit again.

    Return what is settled there, and what has become of each task. Raises RunnerError.
    """
    content = worktree.read_settings(root, LARGEST_FILE)
    settings, problems = compile_settings(content) if content is not None else (Settings(), ())
    if settings is None:
        raise RunnerError(str(problems[0]), problems[0].hint)
    settings_blob = worktree.blob_id(content) if content is not None else ""
    with session.transaction():
        known = catalogs.origin(session)
        files, found = _compile(session, root, settings, settings_blob)
        new = replace(
            known,
            commit=COMMIT,
            head=None,
            settings_blob=settings_blob,
            settings_seen=settings_blob,
        ).settled_by(settings)
        changes = adopt.against(Changes(tuple(files)), catalogs.present_blobs(session))
        snapshot = adopt.Snapshot(changes, found, {}, settings_blob)
        adoptions = adopt.adopt(session, snapshot, Moment(known.commit, COMMIT, now))
        catalogs.set_origin(session, new)
    return settings, adoptions


def _compile(
    session: Deciding, root: str, settings: Settings, settings_blob: str
) -> tuple[list[File], dict[str, tuple[Problem, ...]]]:
    files: list[File] = []
    found: dict[str, tuple[Problem, ...]] = {}
    for file in worktree.list_files(root):
        if file.is_symlink or not is_task_file(file.path):
            files.append(replace(file, blob=file.path))
            continue
        content = worktree.read_file(root, file.path, LARGEST_FILE)
        blob = worktree.blob_id(content)
        files.append(replace(file, blob=blob))
        if catalogs.version_of(session, blob, settings_blob) is None:
            compiled = compile_task(file.path, content, settings)
            if compiled.task is None:
                found[blob] = compiled.problems
            else:
                catalogs.add_version(session, blob, settings_blob, compiled.task)
    return files, found
