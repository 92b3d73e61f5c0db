"""Taking slots: what is due, what was decided about it, and whose runs have nobody any more."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.clock import from_millis, to_millis
from runner.model.ending import Ending
from runner.model.retry import Retry
from runner.model.state import START, Decision, TaskState, Verdict
from runner.model.task import Policy, ScheduleSpec
from runner.model.words import CANCELLED, MANUAL, REPLAY, RUNNING
from runner.store.decided import insert_run, is_decided, record_skip
from runner.store.endings import record_end
from runner.store.rows import SPEC_COLUMNS, STATE_COLUMNS, instant, millis, policy_of, spec_of, state_of, state_row

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterator

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A task with a slot that has come. `running` are its runs that have not ended; `commit` the one its version is from."""

    key: int
    version: int
    commit: str | None
    task: str
    spec: ScheduleSpec
    policy: Policy
    state: TaskState
    running: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Orphan:
    """A run in the hands of a process that may be gone. `attempt` is under way where `is_recorded`, else it may be about to be."""

    run_id: int
    supervisor: str
    attempt: int
    started_at: datetime | None
    due_at: datetime
    retry: Retry
    cancel_reason: str | None
    is_by_hand: bool

    @property
    def is_recorded(self) -> bool:
        """Whether it is on record that the attempt has started."""
        return self.started_at is not None


_DUE = f"""
    SELECT t.key, t.version, coalesce(t.valid_commit, c.commit_id), t.id, {STATE_COLUMNS}, {SPEC_COLUMNS}
    FROM tasks t JOIN versions v ON v.id = t.version JOIN catalog c WHERE t.key = ?
"""  # noqa: S608 - columns are constants of ours


def due_tasks(connection: sqlite3.Connection, now: datetime, only: frozenset[str] | None) -> Iterator[Due]:
    """Yield the tasks with a slot that has come, longest-waiting first; of those named in `only`, where it is given.

    The tasks may be changed while they come: which ones they are is known before the first does.
    """
    sql = "SELECT key, id FROM tasks WHERE next_due <= ? ORDER BY next_due, id"
    for key, task_id in connection.execute(sql, (to_millis(now),)).fetchall():
        if only is None or task_id in only:
            yield due_task(connection, key)


def due_task(connection: sqlite3.Connection, key: int) -> Due:
    """Return a task with what deciding about it takes."""
    row = connection.execute(_DUE, (key,)).fetchone()
    state, spec, policy = state_of(row[4:]), spec_of(row[8:]), policy_of(row[8:])
    return Due(key, row[1], row[2], row[3], spec, policy, state, runs_under_way(connection, key))


def decided_ahead(connection: sqlite3.Connection, instant: datetime) -> list[int]:
    """Return the tasks of which slots later than an instant have been decided."""
    rows = connection.execute(
        "SELECT key FROM tasks WHERE watermark > ? AND next_due IS NOT NULL", (to_millis(instant),)
    )
    return [key for (key,) in rows]


def last_decided(connection: sqlite3.Connection) -> datetime | None:
    """Return when something was decided last."""
    row = connection.execute("SELECT decided_at FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else from_millis(row[0])


def set_state(connection: sqlite3.Connection, due: Due, state: TaskState) -> None:
    """Record where a task stands."""
    connection.execute(
        """
        UPDATE tasks SET anchor = ?, watermark = ?, last_run_slot = ?, next_slot = ?, next_due = ?, next_local = ?
        WHERE key = ?
        """,
        (*state_row(state, due.spec, due.policy.offset(due.task)), due.key),
    )


def start_by(connection: sqlite3.Connection, now: datetime) -> None:
    """Let runs that wait for an instant ahead start now: they were decided while the clock was wrong."""
    connection.execute(
        "UPDATE runs SET due_at = ?1 WHERE status = 'running' AND supervisor IS NULL AND due_at > ?1", (to_millis(now),)
    )


def record(connection: sqlite3.Connection, due: Due, verdict: Verdict, now: datetime) -> tuple[list[int], list[int]]:
    """Record what was decided and where the task stands after it; return the ids of what is to be run, and of what is not."""
    claimed, skipped = [], []
    for decision in verdict.decisions:
        if is_decided(connection, due.key, decision.slot):
            continue  # before the clock was set back
        if decision.action == START:
            claimed.append(_claim(connection, due, decision, now))
        else:
            skipped.append(record_skip(connection, due.key, due.version, due.commit, decision, now))
    set_state(connection, due, verdict.state)
    return claimed, skipped


def _claim(connection: sqlite3.Connection, due: Due, decision: Decision, now: datetime) -> int:
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
            "due_at": to_millis(decision.due_at or now),
        },
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that a person asks for: a version of a task, and the run that is made again where it is a replay."""

    key: int
    version: int
    commit: str | None
    replayed: int | None = None
    scheduled_for: datetime | None = None


def claim_by_hand(connection: sqlite3.Connection, wanted: Wanted, supervisor: str, now: datetime) -> int:
    """Record a run that a person asked for; it takes no slot, and is in their hands at once. Return its id."""
    return insert_run(
        connection,
        {
            "task": wanted.key,
            "version": wanted.version,
            "commit_id": wanted.commit,
            "trigger": MANUAL if wanted.replayed is None else REPLAY,
            "status": RUNNING,
            "reason": "asked for by hand" if wanted.replayed is None else f"replay of run {wanted.replayed}",
            "scheduled_for": millis(wanted.scheduled_for),
            "decided_at": to_millis(now),
            "due_at": to_millis(now),
            "supervisor": supervisor,
        },
    )


def runs_under_way(connection: sqlite3.Connection, key: int) -> tuple[int, ...]:
    """Return the runs of a task that have not ended, the oldest first."""
    rows = connection.execute("SELECT id FROM runs WHERE task = ? AND status = 'running' ORDER BY id", (key,))
    return tuple(run_id for (run_id,) in rows)


def ask_to_end(connection: sqlite3.Connection, run_id: int, reason: str, now: datetime) -> str | None:
    """Ask whoever has a run in hand to end it, and return who that is; end it at once where nobody has, and return None."""
    row = connection.execute(
        "SELECT supervisor, attempts FROM runs WHERE id = ? AND status = 'running'", (run_id,)
    ).fetchone()
    if row is None:
        return None
    if row[0] is None:
        record_end(connection, run_id, row[1], Ending(CANCELLED, None, now, reason), reason, None)
        return None
    connection.execute("UPDATE runs SET cancel_reason = coalesce(cancel_reason, ?) WHERE id = ?", (reason, run_id))
    return str(row[0])


def in_hands(connection: sqlite3.Connection) -> list[Orphan]:
    """Return the runs that somebody has in hand, with who that is."""
    rows = connection.execute(
        """
        SELECT r.id, r.supervisor, max(1, r.attempts + (a.number IS NULL)), a.started_at, r.due_at,
               CASE WHEN r."trigger" IN ('manual', 'replay') THEN 1 ELSE v.retry_attempts END, v.retry_delay, v.retry_backoff,
               v.retry_max_delay, r.cancel_reason, r."trigger" IN ('manual', 'replay')
        FROM runs r JOIN versions v ON v.id = r.version
        LEFT JOIN attempts a ON a.run = r.id AND a.number = r.attempts AND a.status = 'running'
        WHERE r.status = 'running' AND r.supervisor IS NOT NULL ORDER BY r.id
        """
    )
    return [_orphan(row) for row in rows]


def _orphan(row: tuple[int, str, int, int | None, int, int, int, float, int, str | None, int]) -> Orphan:
    retry = Retry(row[5], row[6] * _MILLISECOND, row[7], row[8] * _MILLISECOND)
    return Orphan(row[0], row[1], row[2], instant(row[3]), from_millis(row[4]), retry, row[9], bool(row[10]))


def is_still_in_hands(connection: sqlite3.Connection, orphan: Orphan) -> bool:
    """Return whether a run is where it was: nobody else has dealt with it meanwhile."""
    sql = "SELECT 1 FROM runs WHERE id = ? AND status = 'running' AND supervisor = ?"
    return connection.execute(sql, (orphan.run_id, orphan.supervisor)).fetchone() is not None


def is_under_way(connection: sqlite3.Connection, run_id: int, attempt: int) -> bool:
    """Return whether an attempt has not ended, or has not been recorded at all while its run goes on."""
    row = connection.execute(
        """
        SELECT coalesce(a.status, r.status) FROM runs r LEFT JOIN attempts a ON a.run = r.id AND a.number = ? WHERE r.id = ?
        """,
        (attempt, run_id),
    ).fetchone()
    return row is not None and row[0] == RUNNING
