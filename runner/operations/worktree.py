"""Bring the store to the files of the work tree, for people at work: `tick --worktree`, `run --worktree`."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime

from runner.errors import RunnerError
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.operations import adopt
from runner.operations.compile import Compiler
from runner.repo import worktree
from runner.repo.tree import Changes, File
from runner.store import catalogs
from runner.store.database import transaction

#: Stands where a commit id would: these tasks are from no commit.
COMMIT = "worktree"


def refresh_from_worktree(connection: sqlite3.Connection, root: str, compiler: Compiler, now: datetime) -> Settings:
    """Put the files of the work tree in force, until the next tick reads a commit again; return what is settled there.

    Raises RunnerError.
    """
    content = worktree.read_settings(root, compiler.largest_file)
    settings, problems = compiler.compile_settings(content) if content is not None else (Settings(), ())
    if settings is None:
        raise RunnerError(str(problems[0]), problems[0].hint)
    settings_blob = worktree.blob_id(content) if content is not None else ""
    with transaction(connection):
        known = catalogs.origin(connection)
        files, found = _compile(connection, root, compiler, settings, settings_blob)
        new = replace(
            known,
            commit=COMMIT,
            head=None,
            settings_blob=settings_blob,
            settings_seen=settings_blob,
        ).settled_by(settings)
        changes = adopt.against(Changes(tuple(files)), catalogs.present_blobs(connection))
        adopt.adopt(connection, compiler, changes, found, {}, known, new, now)
        catalogs.set_origin(connection, new)
    return settings


def _compile(
    connection: sqlite3.Connection, root: str, compiler: Compiler, settings: Settings, settings_blob: str
) -> tuple[list[File], dict[str, tuple[Problem, ...]]]:
    files: list[File] = []
    found: dict[str, tuple[Problem, ...]] = {}
    for file in worktree.list_files(root):
        if file.is_symlink or not compiler.is_task_file(file.path):
            files.append(replace(file, blob=file.path))
            continue
        content = worktree.read_file(root, file.path, compiler.largest_file)
        blob = worktree.blob_id(content)
        files.append(replace(file, blob=blob))
        if catalogs.version_of(connection, blob, settings_blob) is None:
            compiled = compiler.compile_task(file.path, content, settings)
            if compiled.task is None:
                found[blob] = compiled.problems
            else:
                catalogs.add_version(connection, blob, settings_blob, compiled.task)
    return files, found
