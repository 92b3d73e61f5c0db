"""Since when a task fails, and which commits came between its last success and its first failure."""

from __future__ import annotations

from runner.model.commit import Commit
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.task import path_of
from runner.operations.lookup import known_task
from runner.operations.workspace import Workspace
from runner.repo import log
from runner.store import history
from runner.store.database import reading
from runner.store.history import Streak
from runner.value import Value


class Blame(Value):
    """`commits` changed the task or `runner.yaml` after its last success and before its first failure, newest first.

    Where the task has never succeeded, these are all such commits up to the first failure. None where the commits are
    not in this clone.
    """

    task: str
    streak: Streak
    commits: tuple[Commit, ...] | None

    def fails(self) -> bool:
        """Return whether the last run failed."""
        last, first = self.streak.last, self.streak.first_failure
        return last is not None and first is not None and last.run_id >= first.run_id


def blame(workspace: Workspace, task_id: str) -> Blame:
    """Return since when a task fails, and the commits that may be the cause. Raises UsageError, StoreError."""
    with reading(workspace.database) as session:
        known_task(session, task_id, workspace.root)
        streak = history.streak(session, task_id)
    found = Blame(task_id, streak, ())
    return Blame(task_id, streak, _between(workspace, task_id, streak)) if found.fails() else found


def _between(workspace: Workspace, task_id: str, streak: Streak) -> tuple[Commit, ...] | None:
    first = streak.first_failure
    if first is None or first.commit is None:
        return None
    since = None if streak.last_success is None else streak.last_success.commit
    of_task = log.history_of(workspace.root, since, first.commit, path_of(task_id))
    of_settings = log.history_of(workspace.root, since, first.commit, SETTINGS_FILE)
    if of_task is None or of_settings is None:
        return None
    both = {commit.id: commit for commit in (*of_task, *of_settings)}
    return tuple(sorted(both.values(), key=lambda commit: commit.authored_at, reverse=True))
