"""How tasks have done: `stats`."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from runner.model.statistics import WINDOWS, SlotRun, Statistics, statistics_of
from runner.operations.lookup import known_task
from runner.operations.workspace import Workspace
from runner.store import catalogs, history
from runner.store.database import reading


def stats(workspace: Workspace, task_id: str | None, now: datetime) -> list[Statistics]:
    """Return the statistics of one task, or of all that have a file, for each window, the shortest first.

    A run counts by its slot, so that runs which a person has requested do not. Raises UsageError, StoreError.
    """
    found: dict[str, list[SlotRun]] = defaultdict(list)
    with reading(workspace.database) as session:
        if task_id is None:
            tasks = [task for task in catalogs.stored_tasks(session) if task.blob is not None]
        else:
            tasks = [known_task(session, task_id, workspace.root)]
        for task, run in history.runs_of_slots(session, now - max(WINDOWS.values()), task_id):
            found[task].append(run)
    zones = {task.id: "UTC" if task.spec is None else task.spec.timezone for task in tasks}
    return [statistics_of(task, window, found[task], now, zones[task]) for task in sorted(zones) for window in WINDOWS]
