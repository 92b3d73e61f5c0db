"""Say what of the permissions of tasks is not held, and why."""

from __future__ import annotations

from collections.abc import Iterator

from runner.execution.sandbox.grants import not_held
from runner.model.permissions import OFF
from runner.operations.workspace import Workspace
from runner.store import catalogs
from runner.store.database import reading
from runner.store.session import Reading


def what_is_not_held(session: Reading) -> Iterator[str]:
    """Yield sentences about tasks that may touch everything, and about what this machine cannot hold."""
    free = catalogs.count_free(session)
    if free:
        yield f"{free} {'task' if free == 1 else 'tasks'} may touch everything: see `runner permissions --suggest`"
    sandbox = catalogs.sandbox(session)
    if sandbox == OFF:
        yield "no permissions are held: `sandbox` is off in runner.yaml"
    elif sandbox is not None:
        yield from (f"not held on this machine: {part}" for part in not_held())


def said_by_ticks(workspace: Workspace) -> tuple[str, ...]:
    """Return those sentences, for `tick --verbose`. Raises StoreError."""
    with reading(workspace.database) as session:
        return tuple(what_is_not_held(session))
