"""The interface of everything that runs jobs: the pool of children, the launcher of a tick, later another machine."""

from __future__ import annotations

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from typing import Protocol, Self

    from runner.execution.supervising.events import Event
    from runner.execution.supervising.signals import Signals
    from runner.model.job import Job

    class Executor(Protocol):
        """An executor runs jobs while it is open. When it is closed, no process that it has started is left.

        `signals` has the signals that other processes have sent. `is_lost` is True when the executor has died, and
        with it everything that it had started.
        """

        signals: Signals

        @property
        def is_lost(self) -> bool:
            """Whether the executor has died."""

        def __enter__(self) -> Self: ...
        def __exit__(self, *error: object) -> None: ...

        def start(self, job: Job) -> None:
            """Start a job. `wait` returns whether it was started, and later how it ended."""

        def end(self, run_id: int, reason: str) -> None:
            """Ask a run to end as cancelled, if this executor runs it."""

        def end_all(self, reason: str) -> None:
            """Ask all runs to end as cancelled."""

        def wait(self, longest: float) -> list[Event]:
            """Return the events that have come; wait at most `longest` seconds for the first one."""
