"""The current catalog: bring the store to the commit that is in force, compiling what changed and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from runner.adoption import Moment
from runner.errors import RunnerError
from runner.model.problem import ERROR, REFUSED, Problem
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import Settings
from runner.operations import adopt
from runner.operations.compile import compile_files
from runner.repo import tree
from runner.repo.head import commit_at
from runner.repo.tree import Changes
from runner.repo.trust import refusals
from runner.store import catalogs
from runner.store.catalogs import Origin
from runner.store.session import Deciding, Reading
from runner.taskfile.compiler import compile_settings
from runner.taskfile.text import LARGEST_FILE


@dataclass(frozen=True, slots=True)
class _Target:
    """What is to be in force. `settings_problems` are those of the commit's runner.yaml, None where it is not a new one."""

    origin: Origin
    changes: Changes
    settings_problems: tuple[Problem, ...] | None


def refresh(session: Deciding, root: str, now: datetime, at: str | None = None) -> None:
    """Bring the store to the commit in force, or to commit `at` in a rehearsal. Raises GitError, RunnerError."""
    while True:
        known = catalogs.origin(session)
        target = _target(session, root, known) if at is None else _named(session, root, known, at)
        if _put_in_force(session, root, known, target, now):
            return
        # Another tick was here meanwhile: what was compared is no longer what is known.


def _put_in_force(session: Deciding, root: str, known: Origin, target: _Target, now: datetime) -> bool:
    if not target.changes.touch_tasks() and target.settings_problems is None:
        with session.transaction(durable=False):
            if catalogs.origin(session) != known:
                return False
            catalogs.set_origin(session, target.origin)
        return True
    blob = target.origin.settings_blob
    refused = _refused(root, target)
    found = compile_files(session, root, target.changes.files, blob, lambda: settings_of(root, blob))
    with session.transaction():
        if catalogs.origin(session) != known:
            return False
        snapshot = adopt.Snapshot(target.changes, found, refused, blob)
        adopt.adopt(session, snapshot, Moment(known.commit, target.origin.commit, now))
        if target.settings_problems is not None:
            catalogs.set_problems(session, [SETTINGS_FILE], target.settings_problems)
        catalogs.set_origin(session, target.origin)
    return True


def _target(session: Deciding, root: str, known: Origin) -> _Target:
    head = commit_at(root, "HEAD") or tree.resolve(root, "HEAD")
    moved = tree.difference(root, known.head, head) if known.head else None
    head_settings = known.head_settings
    if moved is None or moved.settings is not None or known.require_signed:
        head_settings = tree.settings_at(root, head)
    followed = known
    # What was refused is still another one than what is known, and is asked for again: another commit may be signed.
    if head_settings != known.head_settings:
        followed = _followed(root, head, head_settings, known)
    ref = followed.ref
    commit, ref_path = (head, "HEAD") if ref == "HEAD" else (tree.resolve(root, ref), tree.full_name(root, ref))
    origin = replace(followed, commit=commit, head=head, ref_path=ref_path)
    changes = moved
    if known.commit != known.head or commit != head:
        changes = tree.difference(root, known.commit, commit) if known.head and known.commit else None
    if changes is None:
        changes = _everything(session, root, origin)
        _check_not_empty(changes, root, origin, known)
    return _settled(session, root, known, origin, changes)


def _named(session: Deciding, root: str, known: Origin, commit: str) -> _Target:
    """Return a commit that somebody has named as what is to be in force, whatever it has to say of refs."""
    origin = replace(known, commit=commit)
    changes = tree.difference(root, known.commit, commit) if known.commit else None
    if changes is None:
        changes = _everything(session, root, origin)
    return _settled(session, root, known, origin, changes)


def _settled(session: Deciding, root: str, known: Origin, origin: Origin, changes: Changes) -> _Target:
    if origin.commit != known.commit and catalogs.has_refused(session):
        # Another commit with the same content may be signed, or none need be any more.
        changes = _everything(session, root, origin)
    origin, problems = _with_settings(root, origin, changes.settings)
    if origin.settings_blob != known.settings_blob and known.commit:
        # Defaults have changed: every file is compiled again.
        changes = _everything(session, root, origin)
    return _Target(origin, changes, problems)


def _everything(session: Reading, root: str, origin: Origin) -> Changes:
    return adopt.against(tree.everything(root, str(origin.commit)), catalogs.present_blobs(session))


def _check_not_empty(everything: Changes, root: str, origin: Origin, known: Origin) -> None:
    if not everything.files and known.commit is None:
        raise RunnerError(
            f"commit {str(origin.commit)[:12]} ({origin.ref}) has no folder tasks/ in {root}",
            "add a task such as tasks/hello.yaml and commit it: git add tasks && git commit",
        )


def _followed(root: str, head: str, blob: str, known: Origin) -> Origin:
    """Return what is known with what the `runner.yaml` of HEAD says of git; the ref, how often it is fetched, whom to trust."""
    if known.require_signed and refusals(root, head, [SETTINGS_FILE], known.allowed_signers):
        return known  # who may not change a task may not switch that off either
    settings, problems = _read_settings(root, blob)
    if settings is not None:
        return replace(known.following(settings), head_settings=blob)
    if known.commit is not None:
        return replace(known, head_settings=blob)
    raise _broken_settings(problems)


def _with_settings(root: str, origin: Origin, blob: str | None) -> tuple[Origin, tuple[Problem, ...] | None]:
    """Return the origin with the settings in force: those of the commit, or the last valid ones where they are broken."""
    if blob is None or blob == origin.settings_seen:
        return origin, None
    seen = replace(origin, settings_seen=blob)
    if origin.require_signed and blob != origin.settings_blob:
        refused = refusals(root, str(origin.commit), [SETTINGS_FILE], origin.allowed_signers)
        if refused:
            return replace(origin, settings_seen=origin.settings_blob), (
                _refusal(SETTINGS_FILE, refused[SETTINGS_FILE]),
            )
    settings, problems = _read_settings(root, blob)
    if settings is not None:
        return replace(seen, settings_blob=blob).settled_by(settings), problems
    if origin.settings_blob:
        return seen, problems
    raise _broken_settings(problems)


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


def _read_settings(root: str, blob: str) -> tuple[Settings | None, tuple[Problem, ...]]:
    """Return what a `runner.yaml` settles, by its blob, or None and its problems; an empty blob stands for no such file."""
    if not blob:
        return Settings(), ()
    [(_, content)] = tree.read_blobs(root, [blob], LARGEST_FILE)
    return compile_settings(content)


def _broken_settings(problems: tuple[Problem, ...]) -> RunnerError:
    return RunnerError(str(problems[0]), problems[0].hint or "run `runner validate`")


def settings_of(root: str, blob: str) -> Settings:
    """Return what a `runner.yaml` settles, by its blob; an empty one stands for none. Raises RunnerError."""
    settings, problems = _read_settings(root, blob)
    if settings is None:
        raise _broken_settings(problems)
    return settings
