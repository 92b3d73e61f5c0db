"""Find the run or the task that a command names, or suggest a similar one."""

from __future__ import annotations

from runner.errors import UsageError
from runner.model.statuses import RUNNING
from runner.model.stored import StoredTask
from runner.operations.workspace import Workspace
from runner.store import catalogs, history
from runner.store.database import reading
from runner.store.session import Reading

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.model.run import Run

#: The largest number that a run can have (https://sqlite.org/autoinc.html).
_LARGEST = 2**63 - 1


def run_named(workspace: Workspace, name: str) -> int:
    """Return the run with a number, or the last run of a task. Raises UsageError where there is none."""
    run_id = _run_of(workspace, name, lambda session: history.last_run(session, name))
    if run_id is None:
        raise UsageError(f"the task {name} has not run yet", f"`runner next {name}` says when it will")
    return run_id


def unfinished_run_named(workspace: Workspace, name: str) -> int:
    """Return the run with a number, or the last run of a task that is waiting or under way. Raises UsageError."""
    run_id = _run_of(workspace, name, lambda session: next(iter(history.find_runs(session, name, RUNNING, 1)), None))
    if run_id is None:
        raise UsageError(f"the task {name} has no run that waits or runs", f"`runner history {name}` lists its runs")
    return run_id


def _run_of(workspace: Workspace, name: str, find: Callable[[Reading], Run | None]) -> int | None:
    """Return the run with a number, or the run that `find` returns for a task.

    Raises UsageError where there is none.
    """
    number = _number(name)
    if number is not None:
        return number
    with reading(workspace.database) as session:
        known_task(session, name, workspace.root, or_tried=True)
        run = find(session)
    return None if run is None else run.run_id


def _number(name: str) -> int | None:
    """Return the number of a run; None where the word is the id of a task.

    Raises UsageError for a number that no run can have.
    """
    if not (name.isascii() and name.isdigit()):
        return None
    if len(name) > len(str(_LARGEST)) or not 0 < int(name) <= _LARGEST:
        raise UsageError(f"there is no run {name}", "`runner history` names the last ones")
    return int(name)


def known_task(session: Reading, task_id: str, root: str | None = None, *, or_tried: bool = False) -> StoredTask:
    """Return a task by its id; with `or_tried` also one whose only runs were started with --worktree.

    Raises UsageError, with the most similar id as a hint. Where the file of the task is on disk below `root`, the
    error says why ticks do not run it.
    """
    stored = catalogs.find_task(session, task_id)
    if stored is None or (stored.is_only_tried and not or_tried):
        from runner.operations.absent import absence  # noqa: PLC0415 - no tick comes here

        found = None if root is None else absence(root, catalogs.source(session).ref, task_id)
        if found is not None:
            raise UsageError(found.message, found.hint)
        raise UsageError(f"there is no task {task_id}", _nearest(session, task_id))
    return stored


def check_known(session: Reading, task_ids: frozenset[str] | None) -> None:
    """Raise UsageError for the first id that no task has."""
    for task_id in sorted(task_ids or ()):
        known_task(session, task_id)


def _nearest(session: Reading, task_id: str) -> str:
    # Imported here, because only a mistyped id needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    ids = list(catalogs.present_blobs(session))
    plain = task_id.removeprefix("tasks/").removesuffix(".yaml")
    close = [plain] if plain in ids else get_close_matches(task_id, ids, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "`runner list` lists all tasks"
