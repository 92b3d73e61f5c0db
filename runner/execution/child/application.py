"""The interface of an application that a context brings into scope: a host sets it up, and its children inherit it."""

from __future__ import annotations

from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from runner.model.job import Job


class Left(Value):
    """What `Application.leave` has found: a rehearsal as JSON, and why it fails the run; empty texts for neither."""

    rehearsal: str = ""
    failure: str = ""


if TYPE_CHECKING:

    class Application(Protocol):
        """An application after its set-up.

        `masked` are the values to mask in everything that is stored or shown. `descriptors` are those that the set-up
        has opened: children keep them.
        """

        masked: Sequence[str]
        descriptors: frozenset[int]

        def why_not_to_fork(self) -> str | None:
            """Return what the application must not have at a fork, such as an open connection; None if all is well."""

        def enter(self, job: Job) -> dict[str, object]:
            """Prepare a child for a job, and return the names in scope of its code. The child calls this once."""

        def leave(self) -> Left:
            """End what `enter` has begun, after the code and its threads have ended."""

        def close(self, run_exit_handlers: Callable[[], None]) -> None:
            """Call the exit handlers, within a time limit, then close what the child has open."""
