"""`history` and `show`: the runs on record, and the commits that they are from."""

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
    """Return at most `limit` runs in [since, until), the newest first.

    The time of a run is its start, or its slot where it has not started. `status` is one of SHOWN. Raises UsageError
    for an unknown task, an unknown status or an empty range; StoreError.
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
    """Return a run with its attempts and output. Raises UsageError where there is no such run, StoreError."""
    with reading(workspace.database) as session:
        details = runs.run_details(session, run_id)
    if details is None:
        raise UsageError(f"there is no run {run_id}", "`runner history` names the last ones")
    return details


def commits_of(workspace: Workspace, values: Iterable[Run]) -> dict[str, Commit]:
    """Return the commits that runs are from, by id; only those that the repository still has."""
    return log.commits(workspace.root, [run.commit for run in values if run.commit is not None])
