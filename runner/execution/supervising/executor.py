"""What any place to run jobs must offer: a pool of children here, the process that forks for a tick, later another machine."""

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
        """Runs jobs for as long as it is open; at its end nothing that it has started is left.

        `signals` says whether somebody wants everything to end, or has something to tell; `is_lost` that the executor is gone, with
        everything that it had started.
        """

        signals: Signals
        is_lost: bool

        def __enter__(self) -> Self: ...
        def __exit__(self, *error: object) -> None: ...

        def start(self, job: Job) -> None:
            """Start a job; `wait` returns what has become of it."""

        def end(self, run_id: int, reason: str) -> None:
            """Ask a run to end, as cancelled, if it is here."""

        def end_all(self, reason: str) -> None:
            """Ask everything to end, as cancelled."""

        def wait(self, longest: float) -> list[Event]:
            """Return what has happened; wait for that for so many seconds at most."""
