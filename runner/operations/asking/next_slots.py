"""`next`: the coming slots, the earliest first. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from heapq import merge
from itertools import islice

from runner.model.stored import StoredTask
from runner.operations.lookup import known_task
from runner.operations.ticking.current import in_force
from runner.operations.workspace import Workspace
from runner.store import catalogs
from runner.value import Value


class UpcomingSlot(Value):
    """One future slot."""

    task: str
    at: datetime
    zone: tzinfo

    @property
    def local(self) -> datetime:
        """The slot on the task's wall clock, aware."""
        return self.at.astimezone(self.zone)


def next_slots(
    workspace: Workspace, task_id: str | None, count: int, since: datetime | None, now: datetime
) -> tuple[UpcomingSlot, ...]:
    """Return the next `count` slots of one task or of all tasks, the earliest first.

    They begin at `since`, or with the slots that are not decided yet where `since` is None. Raises RunnerError.
    """
    with in_force(workspace, now) as session:
        chosen = (
            list(catalogs.stored_tasks(session)) if task_id is None else [known_task(session, task_id, workspace.root)]
        )
        streams = [_slots(stored, since, now) for stored in chosen]
        return tuple(islice(merge(*streams, key=lambda slot: slot.at), count))


def _slots(stored: StoredTask, since: datetime | None, now: datetime) -> Iterator[UpcomingSlot]:
    if stored.spec is None or stored.blob is None or not stored.active:
        return
    schedule = stored.spec.schedule(stored.state.anchor or now)
    slot = stored.state.next_slot if since is None else schedule.after(since - timedelta(microseconds=1))
    while slot is not None:
        yield UpcomingSlot(stored.id, slot + stored.offset, schedule.zone)
        slot = schedule.after(slot)
