"""Note the branch that HEAD is on, where HEAD is followed, and report when HEAD moves to another branch.

The tasks of another branch may not be reviewed yet.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.clock import from_millis, to_millis
from runner.repo.head import branch_at
from runner.store import catalogs
from runner.store.catalogs import Source
from runner.store.session import Deciding
from runner.value import Value, replace

#: How long a move of HEAD is reported. After that, the new branch counts as the usual one.
_REPORTED_FOR = timedelta(days=1)


class Moved(Value):
    """HEAD is on another branch than before. Full names of refs, empty where HEAD is or was detached."""

    branch: str
    before: str
    since: datetime


def note_branch(session: Deciding, root: str, now: datetime) -> None:
    """Record the branch that HEAD is on; write nothing where that is recorded already. Raises GitError."""
    known = catalogs.source(session)
    branch = branch_at(root) if known.ref_path == "HEAD" else None
    if branch == known.branch:
        return
    with session.transaction(durable=False):
        known = catalogs.source(session)
        catalogs.set_source(session, on_branch(known, branch, now))


def on_branch(known: Source, branch: str | None, now: datetime) -> Source:
    """Return the source with HEAD on `branch`; where that is not the usual branch, the usual one is kept with it."""
    if branch is None or known.branch is None:
        return replace(known, branch=branch, branch_before=None, branch_since=None)
    moved = moved_from(known, now)
    usual = known.branch if moved is None else moved.before
    if branch == usual:
        return replace(known, branch=branch, branch_before=None, branch_since=None)
    return replace(known, branch=branch, branch_before=usual, branch_since=to_millis(now))


def moved_from(source: Source, now: datetime) -> Moved | None:
    """Return from which branch HEAD was moved in the last day; None where HEAD was not moved or is not followed."""
    if source.branch is None or source.branch_before is None or source.branch_since is None:
        return None
    since = from_millis(source.branch_since)
    return None if now - since > _REPORTED_FOR else Moved(source.branch, source.branch_before, since)
