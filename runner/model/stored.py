"""A task as the store keeps it: its file, the version in force, and its state."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.model.state import TaskState
from runner.model.task import Policy, ScheduleSpec
from runner.value import Value


class Version(Value):
    """A version of a task, with all that ticks need to put it in force; `id` is its number in the store."""

    id: int
    spec: ScheduleSpec
    policy: Policy
    active: bool


class StoredTask(Value):
    """A task as the store keeps it. `version` is None while its file was never valid, `blob` once the file is gone.

    `next_due` is when its next slot is decided: the time of the slot, plus the jitter.
    """

    key: int
    id: str
    blob: str | None
    version: int | None
    spec: ScheduleSpec | None
    policy: Policy
    active: bool
    state: TaskState
    next_due: datetime | None
    valid_commit: str | None
    invalid_commit: str | None

    @property
    def is_only_tried(self) -> bool:
        """Whether no commit has had a valid file of the task. Its runs, if any, were started with --worktree."""
        return self.blob is None and self.version is None

    @property
    def offset(self) -> timedelta:
        """The jitter: how much later than its slots the task starts."""
        return self.policy.offset(self.id)
