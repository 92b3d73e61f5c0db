"""What happened: `history` and `show`, and which commits the runs are from."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from runner.errors import UsageError
from runner.model.commit import Commit
from runner.model.run import Run, RunDetails
from runner.model.statuses import SHOWN
from runner.operations.lookup import known_task
from runner.operations.workspace import Workspace
from runner.repo import log
from runner.store import history as runs
from runner.store.database import reading


def history(
    workspace: Workspace,
    task_id: str | None,
    status: str | None,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[Run, ...]:
    """Return runs, newest first, that were in [since, until). Raises UsageError for what there is not, StoreError.

    A run was when it started; where it has not, at its slot. `status` is a word that people are told of a run.
    """
    if status is not None and status not in SHOWN:
        raise UsageError(f"there is no status {status}", f"use one of {', '.join(SHOWN)}")
    if since is not None and until is not None and until <= since:
        raise UsageError("the time from --since to --until is empty", "--until must be later than --since")
    with reading(workspace.database) as session:
        if task_id is not None:
            known_task(session, task_id, workspace.root, or_tried=True)
        return tuple(runs.shown_runs(session, task_id, status, limit, since, until))


def show(workspace: Workspace, run_id: int) -> RunDetails:
    """Return all that is known of a run. Raises UsageError where there is no such run, StoreError."""
    with reading(workspace.database) as session:
        details = runs.run_details(session, run_id)
    if details is None:
        raise UsageError(f"there is no run {run_id}", "`runner history` names the last ones")
    return details


def commits_of(workspace: Workspace, values: Iterable[Run]) -> dict[str, Commit]:
    """Return the commits that runs are from, by id, as far as the repository still has them."""
    return log.commits(workspace.root, [run.commit for run in values if run.commit is not None])
