"""Bring the store to the commit in force, where it is not there yet.

Only this module checks whether the tasks in the store are those of the commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from runner.errors import GitError, RepositoryError
from runner.operations.ticking.branch import note_branch
from runner.operations.ticking.repository_problem import note_repository_problem
from runner.operations.workspace import Workspace
from runner.repo.head import branch_at, commit_at, is_at, is_same
from runner.store import catalogs, remote
from runner.store.catalogs import Source
from runner.store.database import dry_run, reading
from runner.store.session import Deciding, Reading
from runner.value import replace

_OURS = ("tasks", "runner.yaml")


@contextmanager
def in_force(workspace: Workspace, now: datetime) -> Iterator[Reading]:
    """Yield a session that sees the tasks of the commit in force.

    It reads the store itself, or a copy in memory where the store has another commit. It never takes the write lock.
    Raises RunnerError.
    """
    with reading(workspace.database) as session:
        source = catalogs.source(session)
        if _is_settled(session, workspace, source) and _is_on_branch(workspace, source):
            yield session
            return
    with dry_run(workspace.database) as copy:
        bring_up_to_date(copy, workspace, now)
        yield copy


def is_current(workspace: Workspace, source: Source) -> bool:
    """Return whether the tasks in the store are those of the commit in force."""
    return is_at(workspace.root, source.head, source.ref_path, source.commit)


def _is_settled(session: Reading, workspace: Workspace, source: Source) -> bool:
    """Return whether the store has the commit in force and refused nothing of it.

    A change that was refused may be allowed by now.
    """
    return is_current(workspace, source) and not catalogs.has_refused(session)


def _is_on_branch(workspace: Workspace, source: Source) -> bool:
    return source.ref_path != "HEAD" or branch_at(workspace.root) == source.branch


def bring_up_to_date(session: Deciding, workspace: Workspace, now: datetime) -> None:
    """Bring the store to the commit in force. Raises RunnerError."""
    source = catalogs.source(session)
    error = None
    if not _is_settled(session, workspace, source) and not _follow(session, workspace, source):
        error = _refresh(session, workspace, source, now)
    if source.fetch_every is not None:
        remote.note_stuck(session, now, None if error is None else error.message)
    note_repository_problem(session, error)
    note_branch(session, workspace.root, now)


def _follow(session: Deciding, workspace: Workspace, source: Source) -> bool:
    """Record a new commit of HEAD that changed none of our files; return whether HEAD is at such a commit."""
    if source.ref_path != "HEAD" or source.head is None or source.commit != source.head:
        return False
    if source.require_signed or catalogs.has_refused(session):
        return False  # the signature of the commit counts, even where it changed none of our files
    head = commit_at(workspace.root, "HEAD")
    if head is None or not is_same(workspace.root, source.head, head, *_OURS):
        return False
    with session.transaction(durable=False):
        if catalogs.source(session) == source:
            catalogs.set_source(session, replace(source, commit=head, head=head))
    return True


def _refresh(session: Deciding, workspace: Workspace, source: Source, now: datetime) -> GitError | None:
    """Bring the store to the new commit. Where git cannot read it, keep the last commit and return the error."""
    from runner.operations.ticking.refresh import refresh  # noqa: PLC0415 - YAML is slow to load

    if source.commit is None:
        from runner.operations.checkout import location  # noqa: PLC0415 - needed once, for a new store

        location(workspace)  # raises an error that explains why git refuses this folder
    try:
        refresh(session, workspace.root, now)
    except RepositoryError:
        raise
    except GitError as error:
        if source.commit is None:
            raise
        return error
    return None
