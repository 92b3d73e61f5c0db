"""Taking slots: what is due, what was decided about it, and who answers for the runs."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from runner.clock import to_millis
from runner.model.state import START, Decision, TaskState
from runner.model.task import Task
from runner.model.words import LOST, MANUAL, RUNNING
from runner.store.decided import insert_run, record_skip
from runner.store.rows import STATE_COLUMNS, TASK_COLUMNS, millis, state_of, state_row, task_of

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Due:
    """A task with a slot that has come. `running` is its run that has not ended; `commit` the one its version is from."""

    key: int
    version: int
    commit: str | None
    task: Task
    state: TaskState
    running: int | None


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run whose supervising process may be gone."""

    run_id: int
    supervisor: str


_DUE = f"""
    SELECT t.key, t.version, coalesce(t.valid_commit, c.commit_id), t.id, {STATE_COLUMNS}, {TASK_COLUMNS},
           (SELECT max(r.id) FROM runs r WHERE r.task = t.key AND r.status = 'running')
    FROM tasks t JOIN versions v ON v.id = t.version JOIN catalog c WHERE t.key = ?
"""  # noqa: S608 - columns are constants of ours


def due_tasks(connection: sqlite3.Connection, now: datetime, only: frozenset[str] | None) -> Iterator[Due]:
    """Yield the tasks with a slot that has come, longest-waiting first; of those named in `only`, where it is given.

    The tasks may be changed while they come: which ones they are is known before the first does.
    """
    sql = "SELECT key, id FROM tasks WHERE next_due <= ? ORDER BY next_due, id"
    for key, task_id in connection.execute(sql, (to_millis(now),)).fetchall():
        if only is None or task_id in only:
            row = connection.execute(_DUE, (key,)).fetchone()
            yield Due(key, row[1], row[2], task_of(task_id, row[8:]), state_of(row[4:]), row[-1])


def record(connection: sqlite3.Connection, due: Due, decision: Decision, supervisor: str, now: datetime) -> int:
    """Record a decision and where the task stands after it; return the id of the run, or of the row of a skipped slot."""
    if decision.action == START:
        run_id = _claim(connection, due, decision, supervisor, now)
    else:
        run_id = record_skip(connection, due.key, due.version, due.commit, decision, now)
    connection.execute(
        "UPDATE tasks SET anchor = ?, watermark = ?, last_run_slot = ?, next_due = ?, next_local = ? WHERE key = ?",
        (*state_row(decision.state, due.task.schedule), due.key),
    )
    return run_id


def _claim(connection: sqlite3.Connection, due: Due, decision: Decision, supervisor: str, now: datetime) -> int:
    return insert_run(
        connection,
        {
            "task": due.key,
            "version": due.version,
            "commit_id": due.commit,
            "trigger": decision.trigger,
            "status": RUNNING,
            "reason": decision.reason,
            "scheduled_for": to_millis(decision.slot),
            "missed": decision.missed,
            "decided_at": to_millis(now),
            "supervisor": supervisor,
        },
    )


def claim_by_hand(
    connection: sqlite3.Connection, key: int, version: int, commit: str | None, supervisor: str, now: datetime
) -> int:
    """Record a run that a person asked for; it has no slot. Return its id."""
    return insert_run(
        connection,
        {
            "task": key,
            "version": version,
            "commit_id": commit,
            "trigger": MANUAL,
            "status": RUNNING,
            "reason": "asked for by hand",
            "decided_at": to_millis(now),
            "supervisor": supervisor,
        },
    )


def running_run(connection: sqlite3.Connection, key: int) -> int | None:
    """Return the run of a task that has not ended, or None."""
    row = connection.execute("SELECT max(id) FROM runs WHERE task = ? AND status = 'running'", (key,)).fetchone()
    return None if row[0] is None else int(row[0])


def unfinished(connection: sqlite3.Connection) -> list[Orphan]:
    """Return the runs that have not ended, with the processes that answer for them."""
    rows = connection.execute("SELECT id, supervisor FROM runs WHERE status = 'running' ORDER BY id")
    return [Orphan(*row) for row in rows]


def mark_lost(connection: sqlite3.Connection, orphan: Orphan, reason: str, now: datetime) -> bool:
    """End a run whose supervising process is gone; False where somebody else already has."""
    ended = connection.execute(
        "UPDATE runs SET status = ?, reason = ?, finished_at = ? WHERE id = ? AND status = 'running' AND supervisor = ?",
        (LOST, reason, to_millis(now), orphan.run_id, orphan.supervisor),
    )
    return bool(ended.rowcount)


def mark_started(connection: sqlite3.Connection, starts: Iterable[tuple[int, datetime]]) -> None:
    """Note when the children of runs were started."""
    connection.executemany(
        "UPDATE runs SET started_at = coalesce(started_at, ?), attempts = attempts + 1 WHERE id = ? AND status = 'running'",
        [(millis(started_at), run_id) for run_id, started_at in starts],
    )
