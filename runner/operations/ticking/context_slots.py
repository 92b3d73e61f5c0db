"""Concurrency slots of contexts: how many runs with a context are under way at once, counted over all ticks."""

from __future__ import annotations

from runner.execution.owners.slots import Slots
from runner.model.job import Job
from runner.store.queue import RunSettings


class ContextSlots:
    """The slots of all contexts of the settings. A job without a context needs none."""

    def __init__(self, state: str, run_settings: RunSettings) -> None:
        self._slots = {it.name: Slots(f"{state}/slots-{it.name}", it.max_parallel) for it in run_settings.contexts}
        self._holders: dict[int, Slots] = {}

    def take(self, job: Job) -> bool:
        """Take a slot for a job if one is free; return whether it may start. Raises OSError."""
        slots = self._slots.get(job.context)
        if slots is None:
            return True
        if not slots.take():
            return False
        self._holders[job.run_id] = slots
        return True

    def release(self, job: Job) -> None:
        """Release the slot of a job, if it has one."""
        slots = self._holders.pop(job.run_id, None)
        if slots is not None:
            slots.release()

    def room(self) -> dict[str, int]:
        """Return how many slots of each context are free now. Raises OSError."""
        return {name: slots.free() for name, slots in self._slots.items()}
