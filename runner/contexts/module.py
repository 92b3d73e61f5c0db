"""Any application: a module with a function that sets it up, and perhaps one called `teardown`."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from runner.contexts.leftovers import left_connection, left_thread, shared
from runner.contexts.objects import ContextError, find
from runner.contexts.run_end import run_bounded
from runner.contexts.task_zone import use_zone
from runner.execution.child.application import Left
from runner.model.context import RESERVED, Context

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.model.job import Job


class ModuleApplication:
    """An application after its set-up by a function of its own (`runner.execution.child.application`)."""

    def __init__(self, context: Context, masked: Sequence[str]) -> None:
        self.masked = masked
        self.descriptors: frozenset[int] = frozenset()
        self.names: dict[str, object] = {}
        self._context = context
        self._module = context.setup.partition(":")[0]

    def set_up(self) -> None:
        """Call the set-up function. Raises ContextError, and what the function raises."""
        set_up = find(self._context.setup.replace(":", "."))
        if not callable(set_up):
            raise ContextError(f"`{self._context.setup}` is not a function")
        self.names = _checked(self._context.setup, set_up())
        self.names |= {name: find(path) for name, path in self._context.names}

    def why_not_to_fork(self) -> str | None:
        """Return what the set-up has left and must not be there at a fork; None if all is well."""
        left = left_thread() or left_connection(self.descriptors)
        return None if left is None else shared(left)

    def enter(self, job: Job) -> dict[str, object]:
        """Prepare a child for a job, and return the names in scope."""
        use_zone(job)
        return self.names

    def leave(self) -> Left:
        """Call `teardown` of the module, if it has one. Raises what it raises."""
        teardown = getattr(sys.modules.get(self._module), "teardown", None)
        if callable(teardown):
            teardown()
        return Left()

    def close(self, run_exit_handlers: Callable[[], None]) -> None:
        """Call the exit handlers, within a time limit."""
        run_bounded(run_exit_handlers)


def _checked(name: str, found: object) -> dict[str, object]:
    """Return the names that a set-up function has returned. Raises ContextError where they are none."""
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ContextError(f"`{name}` returned {type(found).__name__}, and not a mapping of names, or None")
    for key in found:
        if not isinstance(key, str) or not key.isidentifier():
            raise ContextError(f"`{name}` returned the name {key!r}, which is no Python name")
        if key in RESERVED - {"timezone"}:
            raise ContextError(f"`{name}` returned the name `{key}`, which is in scope of every task")
    return dict(found)
