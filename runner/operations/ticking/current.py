"""The tasks in force: whether the store has those of the commit, and what brings it there. Nothing else asks."""

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
    """Open a session that sees the tasks of the commit: the store itself, or a copy in memory where it is not there yet.

    Never takes the write lock. Raises RunnerError.
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
    """Return whether the tasks that a store has are those of the commit in force."""
    return is_at(workspace.root, source.head, source.ref_path, source.commit)


def _is_settled(session: Reading, workspace: Workspace, source: Source) -> bool:
    """Return whether the store is where the commit is, and nothing of that was refused, which may be allowed by now."""
    return is_current(workspace, source) and not catalogs.has_refused(session)


def _is_on_branch(workspace: Workspace, source: Source) -> bool:
    return source.ref_path != "HEAD" or branch_at(workspace.root) == source.branch


def bring_up_to_date(session: Deciding, workspace: Workspace, now: datetime) -> None:
    """Bring a store to the commit in force. Raises RunnerError."""
    source = catalogs.source(session)
    stuck = None
    if not _is_settled(session, workspace, source) and not _follow(session, workspace, source):
        stuck = _refresh(session, workspace, source, now)
    if source.fetch_every is not None:
        remote.note_stuck(session, now, None if stuck is None else stuck.message)
    note_repository_problem(session, stuck)
    note_branch(session, workspace.root, now)


def _follow(session: Deciding, workspace: Workspace, source: Source) -> bool:
    """Note a new commit of HEAD that has touched none of our files; return whether it is such a one."""
    if source.ref_path != "HEAD" or source.head is None or source.commit != source.head:
        return False
    if source.require_signed or catalogs.has_refused(session):
        return False  # who made the commit counts, and not only what it has changed
    head = commit_at(workspace.root, "HEAD")
    if head is None or not is_same(workspace.root, source.head, head, *_OURS):
        return False
    with session.transaction(durable=False):
        if catalogs.source(session) == source:
            catalogs.set_source(session, replace(source, commit=head, head=head))
    return True


def _refresh(session: Deciding, workspace: Workspace, source: Source, now: datetime) -> GitError | None:
    """Bring a store to a commit that is new; return why it stays at the last one, where git cannot read what is new."""
    from runner.operations.ticking.refresh import refresh  # noqa: PLC0415 - YAML and JSON schema take longer than a tick

    if source.commit is None:
        from runner.operations.checkout import location  # noqa: PLC0415 - once, for a store that is new

        location(workspace)  # explains whatever git has against this folder
    try:
        refresh(session, workspace.root, now)
    except RepositoryError:
        raise
    except GitError as error:
        if source.commit is None:
            raise
        return error
    return None
