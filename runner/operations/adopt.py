"""From the files of a new commit to the tasks in force: what is new, changed, renamed, broken or gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from runner import planning
from runner.model.problem import Problem
from runner.model.state import TaskState
from runner.model.task import id_of, path_of
from runner.repo.tree import File
from runner.store import catalogs
from runner.store.catalogs import Origin

TYPE_CHECKING = False  # the name is enough for type checkers; the two modules would import each other
if TYPE_CHECKING:
    from runner.operations.refresh import Compiler


@dataclass(frozen=True, slots=True)
class Changes:
    """Files to look at, paths that are gone, and (old, new) of those renamed."""

    files: tuple[File, ...] = ()
    gone: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def is_empty(self) -> bool:
        """Return whether nothing has changed."""
        return not (self.files or self.gone or self.renamed)


def all_changes(files: Iterable[File], present: Mapping[str, str]) -> Changes:
    """Return the changes from the tasks that are present to a whole listing; a moved content is a rename."""
    listed = {file.path: file for file in files}
    gone = {path_of(task_id): blob for task_id, blob in present.items() if path_of(task_id) not in listed}
    new = {file.blob: path for path, file in listed.items() if id_of(path) not in present}
    renamed = tuple((path, new.pop(blob)) for path, blob in gone.items() if blob in new)
    return Changes(tuple(listed.values()), tuple(gone), renamed)


def adopt(  # the facts of one transaction
    connection: sqlite3.Connection,
    compiler: Compiler,
    changes: Changes,
    found: Mapping[str, tuple[Problem, ...]],
    known: Origin,
    new: Origin,
    now: datetime,
) -> None:
    """Bring tasks and problems to the new commit; call it inside of a transaction. `found` are the problems by blob."""
    renamed = {old for old, path in changes.renamed if catalogs.rename_task(connection, id_of(old), id_of(path))}
    for path in changes.gone:
        task = None if path in renamed else catalogs.find_task(connection, id_of(path))
        if task is not None:
            catalogs.retire(connection, task.key)
    files = [file for file in changes.files if compiler.is_task_file(file.path)]
    problems = [_named_problem(compiler, file) for file in files]
    named = [file for file, problem in zip(files, problems, strict=True) if problem is None]
    collisions, touched = _collisions(connection, compiler, named, changes)
    adoption = _Adoption(connection, new.settings_blob, known.commit, new.commit, now)
    for file in (*named, *touched):
        adoption.adopt(file, blocked=file.path in collisions)
    broken = [replace(problem, file=file.path) for file in named for problem in found.get(file.blob, ())]
    stale = [*changes.gone, *(file.path for file in (*files, *touched))]
    catalogs.set_problems(
        connection,
        stale,
        [*filter(None, problems), *broken, *(problem for group in collisions.values() for problem in group)],
    )


def _named_problem(compiler: Compiler, file: File) -> Problem | None:
    return compiler.symlink_problem(file.path) if file.is_symlink else compiler.check_name(file.path)


def _collisions(
    connection: sqlite3.Connection, compiler: Compiler, named: list[File], changes: Changes
) -> tuple[dict[str, list[Problem]], list[File]]:
    """Return the problems of ids that differ only by case, and the unchanged files that such problems come to or go from."""
    present = catalogs.present_blobs(connection)
    files = {path_of(task_id): File(path_of(task_id), blob) for task_id, blob in present.items()}
    changed = {file.path: file for file in named}
    if changed.keys() <= files.keys() and not changes.gone:
        return {}, []
    before = {problem.file for problem in catalogs.problems(connection) if problem.code == "id-case"}
    colliding: dict[str, list[Problem]] = {}
    for problem in compiler.check_case([*(files | changed)]):
        colliding.setdefault(problem.file, []).append(problem)
    touched = [files[path] for path in (before | colliding.keys()) - changed.keys() if path in files]
    return colliding, touched


@dataclass(frozen=True, slots=True)
class _Adoption:
    """`before` and `commit` are the commits that were and will be in force."""

    connection: sqlite3.Connection
    settings_blob: str
    before: str | None
    commit: str | None
    now: datetime

    def adopt(self, file: File, *, blocked: bool) -> None:
        """Let a file's task go on with this version of it, or with its last valid one where this one is broken."""
        task_id = id_of(file.path)
        stored = catalogs.find_task(self.connection, task_id)
        version = None if blocked else catalogs.version_of(self.connection, file.blob, self.settings_blob)
        if version is None:
            self._keep_last_valid(task_id, file.blob, stored)
            return
        number, spec, active = version
        if stored is None:
            state = planning.first_seen(spec, active=active, now=self.now)
            catalogs.add_task(self.connection, task_id, file.blob, number, spec, state)
            return
        if stored.spec is None:
            state = planning.first_seen(spec, active=active, now=self.now)
        else:
            # A file that comes back after it was gone owes nothing of the time between.
            was_active = stored.active and stored.blob is not None
            state = planning.changed(
                stored.spec, spec, was_active=was_active, active=active, state=stored.state, now=self.now
            )
        catalogs.put_in_force(self.connection, stored.key, file.blob, number, spec, state)

    def _keep_last_valid(self, task_id: str, blob: str, stored: catalogs.StoredTask | None) -> None:
        if stored is None:
            catalogs.add_task(self.connection, task_id, blob, None, None, TaskState())
        elif stored.version is None:
            catalogs.set_blob(self.connection, stored.key, blob)
        else:
            catalogs.degrade(self.connection, stored.key, blob, self.before, self.commit)
