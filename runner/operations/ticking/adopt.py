"""Put the files of a new commit in force.

`runner.adoption` decides what changes for each task; this module writes the decisions to the store.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.adoption import Adoption, Transition, adopted, kept, removed
from runner.model import event
from runner.model.problem import Problem
from runner.model.stored import StoredTask
from runner.model.task import id_of, path_of
from runner.repo.tree import Changes, File
from runner.store import catalogs, claims
from runner.store.events import note
from runner.store.session import Deciding, Reading
from runner.taskfile.compiler import symlink_problem
from runner.taskfile.findings import shown
from runner.taskfile.names import check_case, check_name, is_task_file
from runner.value import Value, replace

Problems = Mapping[str, tuple[Problem, ...]]


class Snapshot(Value):
    """The files of a commit that are to be put in force. `found` are the problems of invalid contents, by blob.

    `refused` are the problems of files that were changed without an allowed signature, by path. The change or removal
    of such a file is not put in force.
    """

    changes: Changes
    found: Problems
    refused: Mapping[str, Problem]
    settings_blob: str


def against(everything: Changes, present: Mapping[str, str]) -> Changes:
    """Return all files of a commit as changes from the tasks that are present. A blob at a new path is a rename."""
    listed = {file.path for file in everything.files}
    gone = {path_of(task_id): blob for task_id, blob in present.items() if path_of(task_id) not in listed}
    new = {file.blob: file.path for file in everything.files if id_of(file.path) not in present}
    renamed = tuple((path, new.pop(blob)) for path, blob in gone.items() if blob in new)
    return replace(everything, gone=tuple(gone), renamed=renamed)


def adopt(session: Deciding, snapshot: Snapshot, transition: Transition) -> list[Adoption]:
    """Bring tasks and problems to a new commit; return what changed for each task. Call it inside a transaction."""
    changes, refused = snapshot.changes, snapshot.refused
    renamed = _rename(session, snapshot)
    gone = [path for path in changes.gone if path not in renamed.values()]
    adoptions = [_removal(session, path, transition, kept_by=refused) for path in gone]
    files = [file for file in changes.files if is_task_file(file.path)]
    # A file whose name cannot be an id never had a task: it only has a problem.
    named_problems = {file.path: problem for file in files if (problem := _named_problem(file)) is not None}
    named = [file for file in files if file.path not in named_problems]
    collisions, affected = _collisions(session, named, changes)
    blocked = collisions.keys() | refused.keys()
    is_first = not catalogs.has_tasks(session)
    for file in (*named, *affected):
        if file.path in refused and _is_gone(session, file):
            continue  # the task stays removed: a refused change may not bring it back
        settings_blob = None if file.path in blocked else snapshot.settings_blob
        stored = None if is_first else _stored(session, file, renamed)
        adoptions.append(_adopt(session, file, stored, settings_blob, transition))
    broken = [replace(problem, file=file.path) for file in named for problem in snapshot.found.get(file.blob, ())]
    paths = [shown(path) for path in (*changes.gone, *(file.path for file in (*files, *affected)))]
    colliding = [problem for group in collisions.values() for problem in group]
    catalogs.set_problems(session, paths, [*named_problems.values(), *broken, *refused.values(), *colliding])
    return [adoption for adoption in adoptions if adoption is not None]


def _is_id(path: str) -> bool:
    return is_task_file(path) and check_name(path) is None


def _named_problem(file: File) -> Problem | None:
    return symlink_problem(file.path) if file.is_symlink else check_name(file.path)


def _rename(session: Deciding, snapshot: Snapshot) -> dict[str, str]:
    """Rename tasks, with their state and history; return the old path of each renamed task by its new path."""
    renamed = {}
    for old, new in snapshot.changes.renamed:
        if {old, new} & snapshot.refused.keys() or not (_is_id(old) and _is_id(new)):
            continue
        if catalogs.rename_task(session, id_of(old), id_of(new)):
            renamed[new] = old
    return renamed


def _removal(
    session: Deciding, path: str, transition: Transition, *, kept_by: Mapping[str, Problem]
) -> Adoption | None:
    stored = catalogs.find_task(session, id_of(path)) if _is_id(path) else None
    if stored is None or stored.blob is None:
        return None
    if path in kept_by:  # the removal is refused
        return _write(session, kept(stored.id, stored, stored.blob, transition), transition)
    return _write(session, removed(stored, claims.runs_under_way(session, stored.key), transition), transition)


def _is_gone(session: Reading, file: File) -> bool:
    stored = catalogs.find_task(session, id_of(file.path))
    return stored is not None and stored.version is not None and stored.blob is None


def _stored(session: Reading, file: File, renamed: Mapping[str, str]) -> StoredTask | None:
    """Return the stored task of a file, with the id that it had before a rename; None where no commit has had it."""
    stored = catalogs.find_task(session, id_of(file.path))
    if stored is None or stored.is_only_tried:
        return None
    return replace(stored, id=id_of(renamed.get(file.path, file.path)))


def _adopt(
    session: Deciding, file: File, stored: StoredTask | None, settings_blob: str | None, transition: Transition
) -> Adoption:
    version = None if settings_blob is None else catalogs.version_of(session, file.blob, settings_blob)
    running = () if stored is None else claims.runs_under_way(session, stored.key)
    return _write(session, adopted(id_of(file.path), stored, file.blob, version, running, transition), transition)


def _write(session: Deciding, adoption: Adoption, transition: Transition) -> Adoption:
    """Write what changes for a task: its row, the slots that were decided, and the events. Return the adoption."""
    if adoption.before is None:
        key = catalogs.add_task(session, adoption.task, adoption.blob or "", adoption.version, adoption.state)
    else:
        key = adoption.before.key
        _record_slots(session, adoption.before, adoption, transition)
        _put_in_force(session, key, adoption)
    for kind in adoption.kinds:
        detail = f"it was {adoption.before.id}" if kind == event.RENAMED and adoption.before else None
        note(session, kind, transition.now, task=key, commit=transition.commit, detail=detail)
    return adoption


def _record_slots(session: Deciding, stored: StoredTask, adoption: Adoption, transition: Transition) -> None:
    if stored.version is None:
        return
    before = stored.valid_commit or transition.before
    claims.record_decisions(session, stored.key, stored.version, before, adoption.skipped, transition.now)
    if adoption.version is not None:
        claims.record_decisions(
            session, stored.key, adoption.version.id, transition.commit, adoption.claimed, transition.now
        )


def _put_in_force(session: Deciding, key: int, adoption: Adoption) -> None:
    if adoption.blob is None:
        catalogs.retire(session, key)
    elif adoption.version is not None:
        catalogs.put_in_force(session, key, adoption.task, adoption.blob, adoption.version, adoption.state)
    elif adoption.invalid_commit is None:
        catalogs.set_blob(session, key, adoption.blob)
    else:
        catalogs.degrade(session, key, adoption.blob, adoption.valid_commit, adoption.invalid_commit)


def _collisions(session: Reading, named: list[File], changes: Changes) -> tuple[dict[str, list[Problem]], list[File]]:
    """Return the problems of ids that differ only by case, and unchanged files that gain or lose such a problem."""
    changed = {file.path: file for file in named}
    if not changes.gone and all(catalogs.is_present(session, id_of(path)) for path in changed):
        return {}, []
    present = catalogs.present_blobs(session)
    files = {path_of(task_id): File(path_of(task_id), blob) for task_id, blob in present.items()}
    before = {problem.file for problem in catalogs.problems(session) if problem.code == "id-case"}
    colliding: dict[str, list[Problem]] = {}
    for problem in check_case([*(files | changed)]):
        colliding.setdefault(problem.file, []).append(problem)
    affected = [files[path] for path in (before | colliding.keys()) - changed.keys() if path in files]
    return colliding, affected
