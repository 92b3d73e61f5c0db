"""From the files of a new commit to the tasks in force. What becomes of each task `adoption` decides; here it is written down."""

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
    """The files of a commit that are to be taken over. `found` are the problems of contents, by blob.

    `refused` are those of who changed a file, by its path: such a file, or its removal, is not taken over.
    """

    changes: Changes
    found: Problems
    refused: Mapping[str, Problem]
    settings_blob: str


def against(everything: Changes, present: Mapping[str, str]) -> Changes:
    """Return all files of a commit as changes from the tasks that are present; a moved content is a rename."""
    listed = {file.path for file in everything.files}
    gone = {path_of(task_id): blob for task_id, blob in present.items() if path_of(task_id) not in listed}
    new = {file.blob: file.path for file in everything.files if id_of(file.path) not in present}
    renamed = tuple((path, new.pop(blob)) for path, blob in gone.items() if blob in new)
    return replace(everything, gone=tuple(gone), renamed=renamed)


def adopt(session: Deciding, snapshot: Snapshot, moment: Transition) -> list[Adoption]:
    """Bring tasks and problems to a new commit, and return what has become of each; call it inside of a transaction."""
    changes, refused = snapshot.changes, snapshot.refused
    renamed = _rename(session, snapshot)
    gone = [path for path in changes.gone if path not in renamed.values()]
    done = [_removal(session, path, moment, kept_by=refused) for path in gone]
    files = [file for file in changes.files if is_task_file(file.path)]
    # What cannot be an id never was one: such files have problems, and no task.
    named_problems = {file.path: problem for file in files if (problem := _named_problem(file)) is not None}
    named = [file for file in files if file.path not in named_problems]
    collisions, touched = _collisions(session, named, changes)
    blocked = collisions.keys() | refused.keys()
    is_first = not catalogs.has_tasks(session)
    for file in (*named, *touched):
        if file.path in refused and _is_gone(session, file):
            continue  # it stays so: who may not change a task may not bring it back either
        settings_blob = None if file.path in blocked else snapshot.settings_blob
        stored = None if is_first else _stored(session, file, renamed)
        done.append(_adopt(session, file, stored, settings_blob, moment))
    broken = [replace(problem, file=file.path) for file in named for problem in snapshot.found.get(file.blob, ())]
    stale = [shown(path) for path in (*changes.gone, *(file.path for file in (*files, *touched)))]
    colliding = [problem for group in collisions.values() for problem in group]
    catalogs.set_problems(session, stale, [*named_problems.values(), *broken, *refused.values(), *colliding])
    return [adoption for adoption in done if adoption is not None]


def _is_id(path: str) -> bool:
    return is_task_file(path) and check_name(path) is None


def _named_problem(file: File) -> Problem | None:
    return symlink_problem(file.path) if file.is_symlink else check_name(file.path)


def _rename(session: Deciding, snapshot: Snapshot) -> dict[str, str]:
    """Give renamed tasks their new ids, with all state and history; return the old paths of those that could be, by the new."""
    renamed = {}
    for old, new in snapshot.changes.renamed:
        if {old, new} & snapshot.refused.keys() or not (_is_id(old) and _is_id(new)):
            continue
        if catalogs.rename_task(session, id_of(old), id_of(new)):
            renamed[new] = old
    return renamed


def _removal(session: Deciding, path: str, moment: Transition, *, kept_by: Mapping[str, Problem]) -> Adoption | None:
    stored = catalogs.find_task(session, id_of(path)) if _is_id(path) else None
    if stored is None or stored.blob is None:
        return None
    if path in kept_by:  # removed by somebody who may not
        return _write(session, kept(stored.id, stored, stored.blob, moment), moment)
    return _write(session, removed(stored, claims.runs_under_way(session, stored.key), moment), moment)


def _is_gone(session: Reading, file: File) -> bool:
    stored = catalogs.find_task(session, id_of(file.path))
    return stored is not None and stored.version is not None and stored.blob is None


def _stored(session: Reading, file: File, renamed: Mapping[str, str]) -> StoredTask | None:
    """Return the task of a file as it stood, with the id that it had; None where no commit has had it."""
    stored = catalogs.find_task(session, id_of(file.path))
    if stored is None or stored.is_only_tried:
        return None
    return replace(stored, id=id_of(renamed.get(file.path, file.path)))


def _adopt(
    session: Deciding, file: File, stored: StoredTask | None, settings_blob: str | None, moment: Transition
) -> Adoption:
    version = None if settings_blob is None else catalogs.version_of(session, file.blob, settings_blob)
    running = () if stored is None else claims.runs_under_way(session, stored.key)
    return _write(session, adopted(id_of(file.path), stored, file.blob, version, running, moment), moment)


def _write(session: Deciding, adoption: Adoption, moment: Transition) -> Adoption:
    """Write down what becomes of a task: its row, the slots that were decided, and the events."""
    if adoption.before is None:
        key = catalogs.add_task(session, adoption.task, adoption.blob or "", adoption.version, adoption.state)
    else:
        key = adoption.before.key
        _record_slots(session, adoption.before, adoption, moment)
        _put_in_force(session, key, adoption)
    for kind in adoption.kinds:
        detail = f"it was {adoption.before.id}" if kind == event.RENAMED and adoption.before else None
        note(session, kind, moment.now, task=key, commit=moment.commit, detail=detail)
    return adoption


def _record_slots(session: Deciding, stored: StoredTask, adoption: Adoption, moment: Transition) -> None:
    if stored.version is None:
        return
    before = stored.valid_commit or moment.before
    claims.record_decisions(session, stored.key, stored.version, before, adoption.skipped, moment.now)
    if adoption.version is not None:
        claims.record_decisions(session, stored.key, adoption.version.id, moment.commit, adoption.claimed, moment.now)


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
    """Return the problems of ids that differ only by case, and the unchanged files that such problems come to or go from."""
    changed = {file.path: file for file in named}
    if not changes.gone and all(catalogs.is_present(session, id_of(path)) for path in changed):
        return {}, []
    present = catalogs.present_blobs(session)
    files = {path_of(task_id): File(path_of(task_id), blob) for task_id, blob in present.items()}
    before = {problem.file for problem in catalogs.problems(session) if problem.code == "id-case"}
    colliding: dict[str, list[Problem]] = {}
    for problem in check_case([*(files | changed)]):
        colliding.setdefault(problem.file, []).append(problem)
    touched = [files[path] for path in (before | colliding.keys()) - changed.keys() if path in files]
    return colliding, touched
