"""Choose the two states of the tasks that a plan compares: by name, or by defaults for a checkout and for CI."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from runner.errors import GitError, UsageError
from runner.model.commit import SHORT
from runner.model.settings import Settings
from runner.operations.reviewing.plan import Bring, Brought, PlanInputs
from runner.operations.reviewing.worktree import refresh_from_worktree
from runner.operations.ticking.branch import moved_from, on_branch
from runner.operations.ticking.current import bring_up_to_date
from runner.operations.ticking.refresh import refresh, settings_of
from runner.operations.workspace import Workspace
from runner.repo import refs, tree
from runner.repo.head import branch_at, commit_at
from runner.store import catalogs
from runner.store.database import reading
from runner.store.session import Deciding

#: The variables in which GitHub Actions and GitLab pipelines name the target branch of a change.
_TARGETS = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
_WORKTREE = "the work tree"


def plan_inputs(
    workspace: Workspace, environment: Mapping[str, str], base: str | None, head: str | None, now: datetime
) -> PlanInputs:
    """Return what to compare.

    Without names, that is what is in force and the work tree; in CI, the target branch and HEAD. Where HEAD is
    followed and was moved to another branch in the last day, the branch before that is compared instead of what is in
    force. Raises UsageError for a name that git does not know.
    """
    is_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    if base is None and is_ci:
        base = _target(environment)
    if head is None and is_ci:
        head = "HEAD"
    base = base or _branch_before(workspace, now)
    if base is None:
        return PlanInputs("", _WORKTREE, _in_force(workspace), _work_tree(workspace.root))
    root = workspace.root
    commit = _commit(root, base)
    other = _commit(root, "HEAD" if head is None else head)
    fork = tree.merge_base(root, commit, other)
    name = base.removeprefix("refs/heads/")
    return PlanInputs(
        name,
        _WORKTREE if head is None else head,
        _at(root, fork or commit),
        _work_tree(root) if head is None else _at(root, other),
        _remarks(name, commit, fork),
    )


def _branch_before(workspace: Workspace, now: datetime) -> str | None:
    """Return the branch that HEAD was on before it was moved; None where it was not moved, or that branch is gone."""
    with reading(workspace.database) as session:
        known = catalogs.source(session)
    if known.branch is None:
        return None
    moved = moved_from(on_branch(known, branch_at(workspace.root), now), now)
    return moved.before if moved is not None and commit_at(workspace.root, moved.before) is not None else None


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
        return (f"no common commit is known: compared with {base} as it is",)
    return (f"{base} has newer commits; compared with {fork[:SHORT]}, from which the change branched off",)


def _in_force(workspace: Workspace) -> Bring:
    def bring(session: Deciding, now: datetime) -> Brought:
        bring_up_to_date(session, workspace, now)
        return _settled(session, workspace.root), []

    return bring


def _at(root: str, commit: str) -> Bring:
    def bring(session: Deciding, now: datetime) -> Brought:
        adoptions = refresh(session, root, now, commit)
        return _settled(session, root), adoptions

    return bring


def _work_tree(root: str) -> Bring:
    def bring(session: Deciding, now: datetime) -> Brought:
        return refresh_from_worktree(session, root, now)

    return bring


def _settled(session: Deciding, root: str) -> Settings:
    blob = catalogs.source(session).settings_blob
    return settings_of(root, blob) if blob else Settings()
