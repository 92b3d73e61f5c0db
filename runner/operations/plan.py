"""What a change means in time: both sides are adopted by the tick's own code, in a rehearsal of the store, and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner import planning
from runner.model.change import (
    ACTIVATED,
    ADDED,
    BROKEN,
    CHANGED,
    DEACTIVATED,
    MENDED,
    REMOVED,
    RENAMED,
    AtOnce,
    Plan,
    Side,
    TaskChange,
)
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.model.stored import StoredTask
from runner.model.task import Task
from runner.operations import differences, outlook
from runner.operations.site import Site
from runner.operations.worktree import COMMIT as WORKTREE
from runner.store import catalogs, claims
from runner.store.catalogs import Fingerprint
from runner.store.database import dry_run
from runner.store.session import Deciding, Reading

#: How many starts are shown on either side.
FIRES = 5

_MINUTE = timedelta(minutes=1)

Bring = Callable[[Deciding, datetime], Settings]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared: names for people, and what brings a store to either side and returns what `runner.yaml` settles there.

    The name of the base is empty where it is what is in force.
    """

    base: str
    head: str
    bring_base: Bring
    bring_head: Bring
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A task on one side. `fingerprint` is None where it has never been there."""

    fingerprint: Fingerprint | None
    stored: StoredTask | None
    task: Task | None

    def is_there(self) -> bool:
        return self.fingerprint is not None and self.fingerprint.blob is not None

    def is_active(self) -> bool:
        return self.is_there() and self.task is not None and self.task.active


def plan(site: Site, sides: Sides, now: datetime, count: int = FIRES) -> Plan:
    """Return what it would mean if the head became what is in force now. Writes nothing. Raises RunnerError."""
    with dry_run(site.database) as session:
        knows_state = catalogs.origin(session).commit is not None
        old_settings = sides.bring_base(session, now)
        base = _side(session, sides.base)
        old = catalogs.fingerprints(session)
        old_problems = catalogs.problems(session)
        with session.undone():
            new_settings = sides.bring_head(session, now)
            head = _side(session, sides.head)
            new = catalogs.fingerprints(session)
            brought = _brought(old_problems, catalogs.problems(session))
            keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
            heads = {key: _Head(_seen(session, new.get(key)), *_company(session, key, new, now)) for key in keys}
        changes = [
            change
            for key in keys
            if (change := _change(_seen(session, old.get(key)), heads[key], now, count, knows_state=knows_state))
        ]
    return Plan(
        base,
        head,
        now,
        knows_state,
        tuple(sorted(changes, key=lambda change: change.id)),
        differences.settings(old_settings, new_settings),
        brought,
        sides.remarks,
    )


def _side(session: Reading, name: str) -> Side:
    origin = catalogs.origin(session)
    return Side(name or origin.ref, None if origin.commit == WORKTREE else origin.commit)


@dataclass(frozen=True, slots=True)
class _Head:
    """A task at the head, the runs of it that are under way, and how many others start in the minutes in which it is next."""

    seen: _Seen
    running: tuple[int, ...]
    company: tuple[str, ...]


def _seen(session: Reading, fingerprint: Fingerprint | None) -> _Seen:
    if fingerprint is None:
        return _Seen(None, None, None)
    stored = catalogs.find_task(session, fingerprint.id)
    version = None if stored is None else stored.version
    return _Seen(fingerprint, stored, None if version is None else catalogs.load_task(session, version, fingerprint.id))


def _company(
    session: Reading, key: int, new: dict[int, Fingerprint], now: datetime
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    running = claims.runs_under_way(session, key)
    stored = None if key not in new else catalogs.find_task(session, new[key].id)
    first = None if stored is None else next(outlook.starts(stored, running, now), None)
    if first is None:
        return running, ()
    minute = planning.minute_of(first)
    others = catalogs.others_due(session, key, minute, minute + _MINUTE)
    places = catalogs.origin(session).max_parallel
    if others < places:
        return running, ()
    return running, (f"{others} other tasks are due in the minute in which it starts next; {places} run at once",)


def _change(old: _Seen, head: _Head, now: datetime, count: int, *, knows_state: bool) -> TaskChange | None:
    new = head.seen
    kinds = tuple(_kinds(old, new))
    if not kinds:
        return None
    is_known = knows_state or not _hangs(old, new)
    is_new = not old.is_there()
    before = None if old.stored is None else outlook.outlook(old.stored, head.running, now, count, is_known=is_known)
    after = None if new.stored is None else outlook.outlook(new.stored, head.running, now, count, is_known=is_known)
    shown_old, shown_new = (side.task if side.is_there() else None for side in (old, new))
    return TaskChange(
        id=_id(new) or _id(old),
        old_id=_id(old) if RENAMED in kinds else None,
        kinds=kinds,
        fields=differences.fields(shown_old, shown_new),
        code=differences.code(shown_old, shown_new),
        capabilities=differences.capabilities(shown_old, shown_new),
        before=before,
        after=after,
        at_once=_at_once(new, head.running, now, is_new=is_new, is_known=is_known),
        notes=(*_notes(new, now), *head.company),
    )


def _id(seen: _Seen) -> str:
    return "" if seen.fingerprint is None else seen.fingerprint.id


def _hangs(old: _Seen, new: _Seen) -> bool:
    """Return whether a task that is there already counts from something that only a store knows."""
    return old.is_there() and any(
        side.stored is not None and outlook.hangs_on_the_past(side.stored) for side in (old, new)
    )


def _kinds(old: _Seen, new: _Seen) -> Iterator[str]:
    if not old.is_there() or not new.is_there():
        yield from (ADDED,) if new.is_there() else (REMOVED,) if old.is_there() else ()
        if new.is_there() and new.task is None:
            yield BROKEN
        return
    if _id(old) != _id(new):
        yield RENAMED
    was_broken, is_broken = (bool(it.fingerprint and it.fingerprint.is_broken()) for it in (old, new))
    if was_broken != is_broken:
        yield BROKEN if is_broken else MENDED
    if old.task is None or new.task is None:
        return
    if old.is_active() != new.is_active():
        yield ACTIVATED if new.is_active() else DEACTIVATED
    if [it for it in differences.fields(old.task, new.task) if it.name != "active"] or old.task.code != new.task.code:
        yield CHANGED


def _at_once(new: _Seen, running: tuple[int, ...], now: datetime, *, is_new: bool, is_known: bool) -> AtOnce:
    if new.stored is None or not new.is_there():
        return AtOnce(answer=False, why="it is gone; its history stays")
    return outlook.at_once(new.stored, running, now, is_new=is_new, is_known=is_known)


def _notes(new: _Seen, now: datetime) -> Iterator[str]:
    if new.fingerprint is not None and new.fingerprint.is_broken() and new.is_there():
        yield "its file is not valid: " + (
            "the last valid version goes on" if new.task is not None else "it does not run"
        )
    if new.stored is not None:
        yield from outlook.nights(new.stored, now)


def _brought(old: tuple[Problem, ...], new: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Return the problems that were not there before, wherever they stand now."""
    known = {(problem.file, problem.code, problem.message) for problem in old}
    return tuple(problem for problem in new if (problem.file, problem.code, problem.message) not in known)
