"""What happened: `history` and `show`, and which commits the runs are from."""

from __future__ import annotations

from collections.abc import Iterable

from runner.errors import UsageError
from runner.model.commit import Commit
from runner.model.run import Run, RunDetails
from runner.model.words import STATUSES
from runner.operations.find import known_task
from runner.operations.site import Site
from runner.repo import log
from runner.store import history as runs
from runner.store.database import reading


def history(site: Site, task_id: str | None, status: str | None, limit: int) -> tuple[Run, ...]:
    """Return runs, newest first. Raises UsageError for a task or status that there is not, StoreError."""
    if status is not None and status not in STATUSES:
        raise UsageError(f"there is no status {status}", f"use one of {', '.join(STATUSES)}")
    with reading(site.database) as session:
        if task_id is not None:
            known_task(session, task_id, or_tried=True)
        return tuple(runs.find_runs(session, task_id, status, limit))


def show(site: Site, run_id: int) -> RunDetails:
    """Return all that is known of a run. Raises UsageError where there is no such run, StoreError."""
    with reading(site.database) as session:
        details = runs.run_details(session, run_id)
    if details is None:
        raise UsageError(f"there is no run {run_id}", "`runner history` names the last ones")
    return details


def commits_of(site: Site, values: Iterable[Run]) -> dict[str, Commit]:
    """Return the commits that runs are from, by id, as far as the repository still has them."""
    return log.commits(site.root, [run.commit for run in values if run.commit is not None])
