"""An executor of a tick that starts the hosts of contexts with the first job that has a context."""

from __future__ import annotations

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from runner.execution.hosting.hosts import Hosts
    from runner.execution.launcher.client import LauncherClient
    from runner.execution.supervising.events import Event
    from runner.model.job import Job


class HostsOnDemand:
    """Gives every job to the launcher, until one has a context: then `make` makes what hosts it."""

    def __init__(self, launcher: LauncherClient, make: Callable[[LauncherClient], Hosts]) -> None:
        self._launcher = launcher
        self._make = make
        self._executor: LauncherClient | Hosts = launcher
        self.signals = launcher.signals

    @property
    def is_lost(self) -> bool:
        """Whether the launcher has died."""
        return self._launcher.is_lost

    def __enter__(self) -> Self:
        self._launcher.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.__exit__(*error)

    def start(self, job: Job) -> None:
        """Start a job. `wait` returns whether it was started, and later how it ended."""
        if job.context and self._executor is self._launcher:
            self._executor = self._make(self._launcher)
        self._executor.start(job)

    def end(self, run_id: int, reason: str) -> None:
        """Ask a run to end as cancelled, if this executor runs it."""
        self._executor.end(run_id, reason)

    def end_all(self, reason: str) -> None:
        """Ask all runs to end as cancelled."""
        self._executor.end_all(reason)

    def wait(self, longest: float) -> list[Event]:
        """Return the events that have come; wait at most `longest` seconds for the first one."""
        return self._executor.wait(longest)
