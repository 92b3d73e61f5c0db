"""An application that is nothing but packages: the environment of a task whose code names them (PEP 723)."""

from __future__ import annotations

from runner.contexts.run_end import run_bounded
from runner.execution.child.application import Left

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.model.job import Job


class Packages:
    """Brings no names into scope, and has nothing to set up (`runner.execution.child.application`)."""

    def __init__(self, masked: Sequence[str]) -> None:
        self.masked = masked
        self.descriptors: frozenset[int] = frozenset()
        self.names: dict[str, object] = {}

    def set_up(self) -> None:
        """Do nothing."""

    def why_not_to_fork(self) -> str | None:
        """Return None: nothing was set up."""
        return None

    def enter(self, _job: Job) -> dict[str, object]:
        """Return no names."""
        return {}

    def leave(self) -> Left:
        """Do nothing."""
        return Left()

    def close(self, run_exit_handlers: Callable[[], None]) -> None:
        """Call the exit handlers, within a time limit."""
        run_bounded(run_exit_handlers)
