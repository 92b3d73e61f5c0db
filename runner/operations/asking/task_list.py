"""`list`: the tasks of the commit in force that match a filter. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from runner.errors import UsageError
from runner.model.run import Run
from runner.model.task import ScheduleSpec
from runner.operations.lookup import known_task
from runner.operations.ticking.current import in_force
from runner.operations.workspace import Workspace
from runner.store import catalogs, history
from runner.store.catalogs import ListedTask
from runner.store.database import reading
from runner.value import Value

_WILDCARDS = {*"*?["}
STATES = _ACTIVE, _INACTIVE, _DEGRADED, _INVALID = "active", "inactive", "degraded", "invalid"


class Entry(Value):
    """One task in the list. `schedule` is None where its file was never valid; `state` is one of STATES."""

    id: str
    state: str
    schedule: ScheduleSpec | None
    description: str
    owner: str
    tags: tuple[str, ...]
    next_due: datetime | None
    last_run: Run | None


class Filter(Value):
    """Which tasks are listed: those that match every field that is not None. `pattern` is a glob over ids."""

    pattern: str | None = None
    state: str | None = None
    tag: str | None = None
    owner: str | None = None

    def takes(self, entry: Entry) -> bool:
        """Return whether a task matches."""
        return (
            (self.pattern is None or fnmatchcase(entry.id, self.pattern))
            and (self.state is None or self.state == entry.state)
            and (self.tag is None or self.tag in entry.tags)
            and (self.owner is None or self.owner == entry.owner)
        )


#: Every task.
EVERYTHING = Filter()


def list_tasks(workspace: Workspace, now: datetime, filters: Filter = EVERYTHING) -> tuple[Entry, ...]:
    """Return the tasks of the commit in force that match, by id.

    Raises RunnerError; UsageError for a word that no task has.
    """
    if filters.state is not None and filters.state not in STATES:
        raise UsageError(f"there is no state {filters.state}", f"use one of {', '.join(STATES)}")
    with in_force(workspace, now) as tasks, reading(workspace.database) as store:
        if filters.pattern is not None and not _WILDCARDS & set(filters.pattern):
            known_task(tasks, filters.pattern, workspace.root)
        last = history.last_runs(store)
        entries = [_entry(task, last.get(task.id)) for task in catalogs.listed_tasks(tasks)]
    _check_used("tag", filters.tag, (tag for entry in entries for tag in entry.tags))
    _check_used("owner", filters.owner, (entry.owner for entry in entries if entry.owner))
    return tuple(filter(filters.takes, entries))


def _check_used(kind: str, word: str | None, used: Iterable[str]) -> None:
    """Raise UsageError, with the words that tasks have, for a word that no task has."""
    if word is None:
        return
    known = sorted({*used})
    if word not in known:
        hint = f"use one of {', '.join(known)}" if known else f"`{kind}` is a key of the task file (docs/task-file.md)"
        raise UsageError(f"no task has the {kind} {word}", hint)


def _entry(task: ListedTask, last: Run | None) -> Entry:
    definition = task.definition
    tags = tuple(definition.get("tags", ()))
    return Entry(
        task.id,
        _state(task),
        task.spec,
        definition.get("description", ""),
        definition.get("owner", ""),
        tags,
        task.starts,
        last,
    )


def _state(task: ListedTask) -> str:
    if task.spec is None:
        return _INVALID
    if task.degraded:
        return _DEGRADED
    return _ACTIVE if task.active else _INACTIVE
