"""From the files of a new commit to the tasks in force: what is new, changed, renamed, broken or gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from runner import planning
from runner.model.problem import Problem
from runner.model.state import TaskState
from runner.model.task import id_of, path_of
from runner.operations.compile import Compiler
from runner.repo.tree import Changes, File
from runner.store import catalogs
from runner.store.catalogs import Origin, StoredTask, Version
from runner.store.decided import is_decided, record_skip


def against(everything: Changes, present: Mapping[str, str]) -> Changes:
    """Return all files of a commit as changes from the tasks that are present; a moved content is a rename."""
    listed = {file.path for file in everything.files}
    gone = {path_of(task_id): blob for task_id, blob in present.items() if path_of(task_id) not in listed}
    new = {file.blob: file.path for file in everything.files if id_of(file.path) not in present}
    renamed = tuple((path, new.pop(blob)) for path, blob in gone.items() if blob in new)
    return replace(everything, gone=tuple(gone), renamed=renamed)


def adopt(  # the facts of one transaction
    connection: sqlite3.Connection,
    compiler: Compiler,
    changes: Changes,
    found: Mapping[str, tuple[Problem, ...]],
    refused: Mapping[str, Problem],
    known: Origin,
    new: Origin,
    now: datetime,
) -> None:
    """Bring tasks and problems to the new commit; call it inside of a transaction. `found` are the problems by blob.

    `refused` are those of who changed a file, by its path: such a file, or its removal, is not taken over.
    """
    is_first = not catalogs.has_tasks(connection)
    adoption = _Adoption(connection, new.settings_blob, known.commit, new.commit, now, is_first)
    # What cannot be an id never was one: such files have problems, and no task.
    is_id = partial(_is_id, compiler)
    renamed = {
        old
        for old, path in changes.renamed
        if not {old, path} & refused.keys()
        and is_id(old)
        and is_id(path)
        and catalogs.rename_task(connection, id_of(old), id_of(path))
    }
    for path in changes.gone:
        if path in refused and is_id(path):
            adoption.keep(id_of(path))
        elif path not in renamed and is_id(path):
            adoption.retire(id_of(path))
    files = [file for file in changes.files if compiler.is_task_file(file.path)]
    problems = [_named_problem(compiler, file) for file in files]
    named = [file for file, problem in zip(files, problems, strict=True) if problem is None]
    collisions, touched = _collisions(connection, compiler, named, changes)
    for file in (*named, *touched):
        if file.path in refused:
            adoption.refuse(file)
        else:
            adoption.adopt(file, blocked=file.path in collisions)
    broken = [replace(problem, file=file.path) for file in named for problem in found.get(file.blob, ())]
    stale = [compiler.shown(path) for path in (*changes.gone, *(file.path for file in (*files, *touched)))]
    catalogs.set_problems(
        connection,
        stale,
        [
            *filter(None, problems),
            *broken,
            *refused.values(),
            *(problem for group in collisions.values() for problem in group),
        ],
    )


def _is_id(compiler: Compiler, path: str) -> bool:
    return compiler.is_task_file(path) and compiler.check_name(path) is None


def _named_problem(compiler: Compiler, file: File) -> Problem | None:
    return compiler.symlink_problem(file.path) if file.is_symlink else compiler.check_name(file.path)


def _collisions(
    connection: sqlite3.Connection, compiler: Compiler, named: list[File], changes: Changes
) -> tuple[dict[str, list[Problem]], list[File]]:
    """Return the problems of ids that differ only by case, and the unchanged files that such problems come to or go from."""
    changed = {file.path: file for file in named}
    if not changes.gone and all(catalogs.is_present(connection, id_of(path)) for path in changed):
        return {}, []
    present = catalogs.present_blobs(connection)
    files = {path_of(task_id): File(path_of(task_id), blob) for task_id, blob in present.items()}
    before = {problem.file for problem in catalogs.problems(connection) if problem.code == "id-case"}
    colliding: dict[str, list[Problem]] = {}
    for problem in compiler.check_case([*(files | changed)]):
        colliding.setdefault(problem.file, []).append(problem)
    touched = [files[path] for path in (before | colliding.keys()) - changed.keys() if path in files]
    return colliding, touched


@dataclass(frozen=True, slots=True)
class _Adoption:
    """`before` and `commit` are the commits that were and will be in force; at first there is no task to be found."""

    connection: sqlite3.Connection
    settings_blob: str
    before: str | None
    commit: str | None
    now: datetime
    is_first: bool

    def adopt(self, file: File, *, blocked: bool) -> None:
        """Let a file's task go on with this version of it, or with its last valid one where this one is broken."""
        task_id = id_of(file.path)
        stored = None if self.is_first else catalogs.find_task(self.connection, task_id)
        version = None if blocked else catalogs.version_of(self.connection, file.blob, self.settings_blob)
        if version is None:
            self._keep_last_valid(task_id, file.blob, stored)
            return
        if stored is None:
            state = planning.first_seen(version.spec, active=version.active, now=self.now)
            catalogs.add_task(self.connection, task_id, file.blob, version, state)
            return
        state = self._goes_on(stored, version)
        catalogs.put_in_force(self.connection, stored.key, task_id, file.blob, version, state)

    def refuse(self, file: File) -> None:
        """Let a file's task go on as it was before somebody changed it who may not; one that was gone stays so."""
        stored = None if self.is_first else catalogs.find_task(self.connection, id_of(file.path))
        if stored is None or stored.version is None or stored.blob is not None:
            self._keep_last_valid(id_of(file.path), file.blob, stored)

    def _goes_on(self, stored: StoredTask, version: Version) -> TaskState:
        """Return where a task stands with another version of its file."""
        if stored.spec is None:
            return planning.first_seen(version.spec, active=version.active, now=self.now)
        # A file that comes back after it was gone owes nothing of the time between.
        was_active = stored.active and stored.blob is not None
        state = stored.state
        if not version.active or version.spec != stored.spec:
            state = self._overtake(stored, "the task was edited before a tick came")
        return planning.changed(
            stored.spec, version.spec, was_active=was_active, active=version.active, state=state, now=self.now
        )

    def retire(self, task_id: str) -> None:
        """Let go of a task whose file is gone; its history stays."""
        stored = catalogs.find_task(self.connection, task_id)
        if stored is not None:
            self._overtake(stored, "the task's file was removed before a tick came")
            catalogs.retire(self.connection, stored.key)

    def keep(self, task_id: str) -> None:
        """Let a task go on whose file was removed by somebody who may not."""
        stored = catalogs.find_task(self.connection, task_id)
        if stored is not None and stored.blob is not None:
            self._keep_last_valid(task_id, stored.blob, stored)

    def _overtake(self, stored: StoredTask, why: str) -> TaskState:
        """Put slots on record that fell due under the version that goes; return where the task stands after them."""
        if stored.spec is None or stored.version is None:
            return stored.state
        verdict = planning.overtaken(stored.spec, stored.state, why, self.now)
        if verdict is None:
            return stored.state
        for decision in verdict.decisions:
            if is_decided(self.connection, stored.key, decision.slot):
                continue  # before the clock was set back
            commit = stored.valid_commit or self.before
            record_skip(self.connection, stored.key, stored.version, commit, decision, self.now)
        return verdict.state

    def _keep_last_valid(self, task_id: str, blob: str, stored: StoredTask | None) -> None:
        if stored is None:
            catalogs.add_task(self.connection, task_id, blob, None, TaskState())
        elif stored.version is None:
            catalogs.set_blob(self.connection, stored.key, blob)
        else:
            catalogs.degrade(self.connection, stored.key, blob, self.before, self.commit)
