"""A task as a store keeps it: its file, the version in force, and where it stands in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.model.state import TaskState
from runner.model.task import Policy, ScheduleSpec
from runner.value import Value


class Version(Value):
    """What putting a compiled task in force takes; `id` is its number in the store."""

    id: int
    spec: ScheduleSpec
    policy: Policy
    active: bool


class StoredTask(Value):
    """A task as the store keeps it. `version` is None while its file was never valid, `blob` once the file is gone.

    `next_due` is when its next slot is decided: later than the slot where jitter says so.
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
        """Whether no commit has had a valid file of it: all that is on record may be what people have tried in the work tree."""
        return self.blob is None and self.version is None

    @property
    def offset(self) -> timedelta:
        """How much later than its slots the task starts."""
        return self.policy.offset(self.id)
