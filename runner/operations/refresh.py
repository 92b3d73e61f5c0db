"""The current catalog: bring the store to the commit that is in force, compiling what changed and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from runner.errors import RunnerError
from runner.model.catalog import CompiledFile
from runner.model.problem import Problem
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import Settings
from runner.operations import adopt
from runner.repo import tree
from runner.repo.head import commit_at
from runner.repo.location import Location
from runner.store import catalogs
from runner.store.catalogs import Origin
from runner.store.database import transaction

#: So many compiled files are written at once: the write lock is held for moments only.
_BATCH = 250


@dataclass(frozen=True, slots=True)
class Compiler:
    """What turns bytes into tasks; loaded only when something has to be compiled."""

    compile_task: Callable[[str, bytes, Settings], CompiledFile]
    compile_settings: Callable[[bytes], tuple[Settings | None, tuple[Problem, ...]]]
    check_name: Callable[[str], Problem | None]
    check_case: Callable[[Sequence[str]], Iterator[Problem]]
    symlink_problem: Callable[[str], Problem]
    is_task_file: Callable[[str], bool]
    largest_file: int


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be in force: a commit, and what it has of ours. `settings_problems` are those of its runner.yaml."""

    origin: Origin
    settings_problems: tuple[Problem, ...] | None


Load = Callable[[], Compiler]


def refresh(connection: sqlite3.Connection, location: Location, load: Load, now: datetime) -> None:
    """Bring the store to the commit in force. Raises GitError, RunnerError."""
    while True:
        known = catalogs.origin(connection)
        target = _target(location, known, load)
        changes = _changes(connection, location, known, target.origin)
        if changes.is_empty() and target.settings_problems is None:
            with transaction(connection, durable=False):
                if catalogs.origin(connection) == known:
                    catalogs.set_origin(connection, target.origin)
                    return
            continue
        compiler = load()
        found = _compile(connection, location, compiler, changes, target.origin)
        with transaction(connection):
            # Another tick may have been here meanwhile; then what was compared is no longer what is known.
            if catalogs.origin(connection) == known:
                adopt.adopt(connection, compiler, changes, found, known, target.origin, now)
                if target.settings_problems is not None:
                    catalogs.set_problems(connection, [SETTINGS_FILE], target.settings_problems)
                catalogs.set_origin(connection, target.origin)
                return


def _target(location: Location, known: Origin, load: Load) -> Target:
    head = commit_at(location.root, "HEAD") or tree.resolve(location, "HEAD")
    head_roots = tree.roots(location, head)
    ref, head_settings = known.ref, head_roots.settings_blob or ""
    if head_settings != known.head_settings:
        ref = _ref(location, head_settings, known, load)
    commit, ref_path, roots = head, "HEAD", head_roots
    if ref != "HEAD":
        commit = tree.resolve(location, ref)
        ref_path = tree.full_name(location, ref)
        roots = tree.roots(location, commit)
    if roots.tasks_tree is None and known.tasks_tree is None:
        where = f"{location.prefix}tasks/" if location.prefix else "tasks/"
        raise RunnerError(
            f"commit {commit[:12]} ({ref}) has no folder {where}",
            "add a task such as tasks/hello.yaml and commit it: git add tasks && git commit",
        )
    origin = replace(known, commit=commit, head=head, ref=ref, ref_path=ref_path, tasks_tree=roots.tasks_tree)
    return _with_settings(location, replace(origin, head_settings=head_settings), roots.settings_blob or "", load)


def _ref(location: Location, blob: str, known: Origin, load: Load) -> str:
    if not blob:
        return "HEAD"
    settings, problems = _read_settings(location, blob, load)
    if settings is not None:
        return settings.ref
    if known.commit is not None:
        return known.ref
    raise _broken_settings(problems)


def _with_settings(location: Location, origin: Origin, blob: str, load: Load) -> Target:
    """Return the target with the settings in force: those of the commit, or the last valid ones where they are broken."""
    if blob == origin.settings_seen:
        return Target(origin, None)
    settings, problems = _read_settings(location, blob, load) if blob else (Settings(), ())
    origin = replace(origin, settings_seen=blob)
    if settings is not None:
        return Target(replace(origin, settings_blob=blob, max_parallel=settings.max_parallel), problems)
    if origin.settings_blob or origin.tasks_tree is not None:
        return Target(origin, problems)
    raise _broken_settings(problems)


def _read_settings(location: Location, blob: str, load: Load) -> tuple[Settings | None, tuple[Problem, ...]]:
    compiler = load()
    [(_, content)] = tree.read_blobs(location, [blob], compiler.largest_file)
    return compiler.compile_settings(content)


def _broken_settings(problems: tuple[Problem, ...]) -> RunnerError:
    return RunnerError(str(problems[0]), problems[0].hint or "run `runner validate`")


def _changes(connection: sqlite3.Connection, location: Location, known: Origin, new: Origin) -> adopt.Changes:
    """Return which files are to be looked at: the difference of two trees, or all files where there is none to compare with."""
    if known.tasks_tree == new.tasks_tree and known.settings_blob == new.settings_blob:
        return adopt.Changes()
    if known.tasks_tree and new.tasks_tree and known.settings_blob == new.settings_blob:
        found = tree.difference(location, known.tasks_tree, new.tasks_tree)
        if found is not None:
            return adopt.Changes(found.changed, found.gone, found.renamed)
    files = tree.listing(location, new.tasks_tree) if new.tasks_tree else ()
    return adopt.all_changes(files, catalogs.present_blobs(connection))


def _compile(
    connection: sqlite3.Connection,
    location: Location,
    compiler: Compiler,
    changes: adopt.Changes,
    origin: Origin,
) -> dict[str, tuple[Problem, ...]]:
    """Compile what was never compiled under these settings, and keep it; return the problems by blob."""
    wanted = {
        file.blob: file.path for file in changes.files if not file.is_symlink and compiler.is_task_file(file.path)
    }
    for blob in catalogs.known_blobs(connection, origin.settings_blob, wanted):
        del wanted[blob]
    if not wanted:
        return {}
    settings = _settings(location, compiler, origin.settings_blob)
    found: dict[str, tuple[Problem, ...]] = {}
    blobs = tree.read_blobs(location, list(wanted), compiler.largest_file)
    compiled = ((blob, compiler.compile_task(wanted[blob], content, settings)) for blob, content in blobs)
    while batch := list(islice(compiled, _BATCH)):
        with transaction(connection, durable=False):
            for blob, file in batch:
                if file.task is None:
                    found[blob] = file.problems
                else:
                    catalogs.add_version(connection, blob, origin.settings_blob, file.task)
    return found


def _settings(location: Location, compiler: Compiler, blob: str) -> Settings:
    if not blob:
        return Settings()
    [(_, content)] = tree.read_blobs(location, [blob], compiler.largest_file)
    settings, problems = compiler.compile_settings(content)
    if settings is None:
        raise _broken_settings(problems)
    return settings
