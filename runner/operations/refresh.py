"""The current catalog: bring the store to the commit that is in force, compiling what changed and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.errors import GitError, RunnerError
from runner.model.problem import ERROR, REFUSED, Problem
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import Settings
from runner.operations import adopt
from runner.operations.compile import Compiler, compile_files
from runner.repo import refs, tree
from runner.repo.head import commit_at
from runner.repo.tree import Changes
from runner.repo.trust import refusals
from runner.store import catalogs
from runner.store.catalogs import Origin
from runner.store.database import transaction


@dataclass(frozen=True, slots=True)
class _Target:
    """What is to be in force. `settings_problems` are those of the commit's runner.yaml, None where it is not a new one."""

    origin: Origin
    changes: Changes
    settings_problems: tuple[Problem, ...] | None


Load = Callable[[], Compiler]
_MILLISECOND = timedelta(milliseconds=1)


def refresh(connection: sqlite3.Connection, root: str, load: Load, now: datetime, at: str | None = None) -> None:
    """Bring the store to the commit in force, or to commit `at` in a rehearsal. Raises GitError, RunnerError."""
    try:
        _refresh(connection, root, load, now, at)
    except GitError:
        if at is None:
            refs.commit_of(root, "HEAD")  # read without git, which names the ref where it is that one that is damaged
        raise


def _refresh(connection: sqlite3.Connection, root: str, load: Load, now: datetime, at: str | None) -> None:
    while True:
        known = catalogs.origin(connection)
        target = _target(connection, root, known, load) if at is None else _named(connection, root, known, at, load)
        if _put_in_force(connection, root, known, target, load, now):
            return
        # Another tick was here meanwhile: what was compared is no longer what is known.


def _put_in_force(
    connection: sqlite3.Connection, root: str, known: Origin, target: _Target, load: Load, now: datetime
) -> bool:
    if not target.changes.touch_tasks() and target.settings_problems is None:
        with transaction(connection, durable=False):
            if catalogs.origin(connection) != known:
                return False
            catalogs.set_origin(connection, target.origin)
        return True
    compiler = load()
    blob = target.origin.settings_blob
    settings = (blob, lambda: settings_of(root, compiler, blob))
    refused = _refused(root, target)
    found = compile_files(connection, root, compiler, target.changes.files, settings)
    with transaction(connection):
        if catalogs.origin(connection) != known:
            return False
        adopt.adopt(connection, compiler, target.changes, found, refused, known, target.origin, now)
        if target.settings_problems is not None:
            catalogs.set_problems(connection, [SETTINGS_FILE], target.settings_problems)
        catalogs.set_origin(connection, target.origin)
    return True


def _target(connection: sqlite3.Connection, root: str, known: Origin, load: Load) -> _Target:
    head = commit_at(root, "HEAD") or refs.commit_of(root, "HEAD")
    moved = tree.difference(root, known.head, head) if known.head else None
    head_settings = known.head_settings
    if moved is None or moved.settings is not None or known.require_signed:
        head_settings = tree.settings_at(root, head)
    followed = known
    # What was refused is still another one than what is known, and is asked for again: another commit may be signed.
    if head_settings != known.head_settings:
        followed = _followed(root, head, head_settings, known, load)
    ref = followed.ref
    found = refs.Found("HEAD", head) if ref == "HEAD" else refs.find(root, ref)
    commit = found.commit
    origin = replace(followed, commit=commit, head=head, ref_path=found.path)
    changes = moved
    if known.commit != known.head or commit != head:
        changes = tree.difference(root, known.commit, commit) if known.head and known.commit else None
    if changes is None:
        changes = _everything(connection, root, origin)
        _check_not_empty(changes, root, origin, known)
    return _settled(connection, root, known, origin, changes, load)


def _named(connection: sqlite3.Connection, root: str, known: Origin, commit: str, load: Load) -> _Target:
    """Return a commit that somebody has named as what is to be in force, whatever it has to say of refs."""
    origin = replace(known, commit=commit)
    changes = tree.difference(root, known.commit, commit) if known.commit else None
    if changes is None:
        changes = _everything(connection, root, origin)
    return _settled(connection, root, known, origin, changes, load)


def _settled(
    connection: sqlite3.Connection, root: str, known: Origin, origin: Origin, changes: Changes, load: Load
) -> _Target:
    if origin.commit != known.commit and catalogs.has_refused(connection):
        # Another commit with the same content may be signed, or none need be any more.
        changes = _everything(connection, root, origin)
    origin, problems = _with_settings(root, origin, changes.settings, load, is_first=known.commit is None)
    if origin.settings_blob != known.settings_blob and known.commit:
        # Defaults have changed: every file is compiled again.
        changes = _everything(connection, root, origin)
    return _Target(origin, changes, problems)


def _everything(connection: sqlite3.Connection, root: str, origin: Origin) -> Changes:
    return adopt.against(tree.everything(root, str(origin.commit)), catalogs.present_blobs(connection))


def _check_not_empty(everything: Changes, root: str, origin: Origin, known: Origin) -> None:
    if not everything.files and known.commit is None:
        raise RunnerError(
            f"commit {str(origin.commit)[:12]} ({origin.ref}) has no folder tasks/ in {root}",
            "add a task such as tasks/hello.yaml and commit it: git add tasks && git commit",
        )


def _followed(root: str, head: str, blob: str, known: Origin, load: Load) -> Origin:
    """Return what is known with what the `runner.yaml` of HEAD says of git; the ref, how often it is fetched, whom to trust."""
    if known.require_signed and refusals(root, head, [SETTINGS_FILE], known.allowed_signers):
        return known  # who may not change a task may not switch that off either
    settings, problems = _read_settings(root, load, blob)
    if settings is not None:
        return replace(known.following(settings), head_settings=blob)
    if known.commit is not None:
        return replace(known, head_settings=blob)
    raise _broken_settings(problems)


def _with_settings(
    root: str, origin: Origin, blob: str | None, load: Load, *, is_first: bool
) -> tuple[Origin, tuple[Problem, ...] | None]:
    """Return the origin with the settings in force: those of the commit, or the last valid ones where they are broken.

    Without a `runner.yaml` the defaults were valid; only of the first commit ever nobody knows what it was meant to settle.
    """
    if blob is None or blob == origin.settings_seen:
        return origin, None
    seen = replace(origin, settings_seen=blob)
    if origin.require_signed and blob != origin.settings_blob:
        refused = refusals(root, str(origin.commit), [SETTINGS_FILE], origin.allowed_signers)
        if refused:
            return replace(origin, settings_seen=origin.settings_blob), (
                _refusal(SETTINGS_FILE, refused[SETTINGS_FILE]),
            )
    settings, problems = _read_settings(root, load, blob)
    if settings is not None:
        return replace(seen, settings_blob=blob).settled_by(settings), problems
    if is_first:
        raise _broken_settings(problems)
    return seen, problems


def _refused(root: str, target: _Target) -> dict[str, Problem]:
    """Return what is wrong with those who changed the files of a commit, by path; nothing where signatures are not asked for."""
    origin = target.origin
    if not origin.require_signed:
        return {}
    paths = [*(file.path for file in target.changes.files), *target.changes.gone]
    found = refusals(root, str(origin.commit), paths, origin.allowed_signers)
    return {path: _refusal(path, why) for path, why in found.items()}


def _refusal(path: str, why: str) -> Problem:
    return Problem(path, 1, 1, REFUSED, ERROR, why, "have a commit that changes it signed by an allowed key")


def _read_settings(root: str, load: Load, blob: str) -> tuple[Settings | None, tuple[Problem, ...]]:
    """Return what a `runner.yaml` settles, by its blob, or None and its problems; an empty blob stands for no such file."""
    if not blob:
        return Settings(), ()
    compiler = load()
    [(_, content)] = tree.read_blobs(root, [blob], compiler.largest_file)
    return compiler.compile_settings(content)


def _broken_settings(problems: tuple[Problem, ...]) -> RunnerError:
    return RunnerError(str(problems[0]), problems[0].hint or "run `runner validate`")


def settings_of(root: str, compiler: Compiler, blob: str) -> Settings:
    """Return what a `runner.yaml` settles, by its blob; an empty one stands for none. Raises RunnerError."""
    settings, problems = _read_settings(root, lambda: compiler, blob)
    if settings is None:
        raise _broken_settings(problems)
    return settings
