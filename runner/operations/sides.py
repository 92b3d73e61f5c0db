"""Which two states of the tasks a plan compares: by name, or by what a checkout and a CI job are used for."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from runner.errors import GitError, UsageError
from runner.model.commit import SHORT
from runner.model.settings import Settings
from runner.operations.plan import Bring, Sides
from runner.operations.refresh import Load, refresh, settings_of
from runner.operations.worktree import refresh_from_worktree
from runner.repo import refs, tree
from runner.store import catalogs

if TYPE_CHECKING:
    from runner.operations.tick import Refresh

#: Where CI says which branch a change is to go into: GitHub's actions and GitLab's pipelines.
_TARGETS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
_WORKTREE = "the work tree"


def sides(
    root: str, in_force: Refresh, load: Load, environment: Mapping[str, str], base: str | None, head: str | None
) -> Sides:
    """Return what to compare. Without names: what is in force and the work tree; in CI the branch to go into and HEAD.

    Raises UsageError for a name that git does not know.
    """
    is_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    if base is None and is_ci:
        base = _target(environment)
    if head is None and is_ci:
        head = "HEAD"
    if base is None:
        return Sides("", _WORKTREE, _in_force(root, in_force, load), _work_tree(root, load))
    commit = _commit(root, base)
    other = _commit(root, "HEAD" if head is None else head)
    fork = tree.merge_base(root, commit, other)
    return Sides(
        base,
        _WORKTREE if head is None else head,
        _at(root, load, fork or commit),
        _work_tree(root, load) if head is None else _at(root, load, other),
        _remarks(base, commit, fork),
    )


def _target(environment: Mapping[str, str]) -> str:
    named = [environment[name] for name in _TARGETS if environment.get(name)]
    return f"origin/{named[0]}" if named else "origin/main"


def _commit(root: str, name: str) -> str:
    try:
        return refs.resolve(root, name)
    except GitError as error:
        if "there is no ref" not in error.message:
            raise
        hint = "fetch it first: `git fetch origin`; a CI job that clones a single commit needs the whole history"
        raise UsageError(f"there is no commit {name!r} in this clone", hint) from error


def _remarks(base: str, commit: str, fork: str | None) -> tuple[str, ...]:
    if fork == commit:
        return ()
    if fork is None:
        return (f"no commit is known in which the two left each other: compared with {base} as it is",)
    return (f"{base} has moved on since; compared with {fork[:SHORT]}, where the change begins",)


def _in_force(root: str, in_force: Refresh, load: Load) -> Bring:
    def bring(connection: sqlite3.Connection, now: datetime) -> Settings:
        in_force(connection, now)
        return _settled(connection, root, load)

    return bring


def _at(root: str, load: Load, commit: str) -> Bring:
    def bring(connection: sqlite3.Connection, now: datetime) -> Settings:
        refresh(connection, root, load, now, commit)
        return _settled(connection, root, load)

    return bring


def _work_tree(root: str, load: Load) -> Bring:
    def bring(connection: sqlite3.Connection, now: datetime) -> Settings:
        return refresh_from_worktree(connection, root, load(), now)

    return bring


def _settled(connection: sqlite3.Connection, root: str, load: Load) -> Settings:
    blob = catalogs.origin(connection).settings_blob
    return settings_of(root, load(), blob) if blob else Settings()
