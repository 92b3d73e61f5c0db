"""Find what a person has named, or say what comes near."""

from __future__ import annotations

from runner.errors import UsageError
from runner.model.stored import StoredTask
from runner.store import catalogs
from runner.store.session import Reading


def known_task(session: Reading, task_id: str, *, or_tried: bool = False) -> StoredTask:
    """Return a task by its id; with `or_tried` also one that only runs of the work tree are on record of.

    Raises UsageError, with the nearest id as a hint.
    """
    stored = catalogs.find_task(session, task_id)
    if stored is None or (stored.is_only_tried and not or_tried):
        raise UsageError(f"there is no task {task_id}", _nearest(session, task_id))
    return stored


def check_known(session: Reading, task_ids: frozenset[str] | None) -> None:
    """Raise UsageError for the first id that no task has."""
    for task_id in sorted(task_ids or ()):
        known_task(session, task_id)


def _nearest(session: Reading, task_id: str) -> str:
    # Imported when met: only a mistyped id needs it.
    from difflib import get_close_matches  # noqa: PLC0415

    ids = list(catalogs.present_blobs(session))
    plain = task_id.removeprefix("tasks/").removesuffix(".yaml")
    close = [plain] if plain in ids else get_close_matches(task_id, ids, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "`runner list` names them all"
