"""Runs that wait for somebody to run them. Whoever has a place takes the one that has waited longest.

Loaded by the process that forks children: nothing heavy here.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta

from runner.clock import from_millis, to_millis
from runner.model.job import Job
from runner.model.limits import Limits
from runner.model.retry import Retry
from runner.model.value import Value
from runner.model.words import BY_HAND

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MILLISECOND = timedelta(milliseconds=1)
FOLDER, SUFFIX = "tasks/", ".yaml"  # as in model.task, which is too heavy to ask; a test holds them together


class Terms(Value):
    """What the repository settles for all runs. `secrets_file` is None where there is none."""

    __slots__ = ("max_parallel", "secrets_file", "shutdown_grace", "store_id")

    def __init__(self, store_id: str, max_parallel: int, shutdown_grace: timedelta, secrets_file: str | None) -> None:
        self.store_id = store_id
        self.max_parallel = max_parallel
        self.shutdown_grace = shutdown_grace
        self.secrets_file = secrets_file


def terms(connection: sqlite3.Connection) -> Terms:
    """Return what the repository settles for all runs."""
    row = connection.execute("SELECT store_id, max_parallel, shutdown_grace, secrets_file FROM catalog").fetchone()
    return Terms(row[0], row[1], row[2] * _MILLISECOND, row[3] or None)


# Under `forbid` and `replace` the runs of a task come one after another, the oldest first.
_WAITING = """
    FROM runs r JOIN versions v ON v.id = r.version JOIN tasks t ON t.key = r.task
    WHERE r.status = 'running' AND r.supervisor IS NULL
      AND (v.concurrency_policy = 'allow' OR NOT EXISTS (
          SELECT 1 FROM runs o
          WHERE o.task = r.task AND o.status = 'running' AND o.id <> r.id AND (o.supervisor IS NOT NULL OR o.id < r.id)
      ))
"""

_JOB = """
    SELECT r.id, t.id, r.scheduled_for, r.attempts, r."trigger", v.code, v.code_line, v.timezone, v.timeout, v.kill_grace,
           v.retry_attempts, v.retry_delay, v.retry_backoff, v.retry_max_delay,
           v.memory, v.cpu, v.processes, v.open_files, v.file_size, v.env, v.secrets
    FROM runs r JOIN versions v ON v.id = r.version JOIN tasks t ON t.key = r.task WHERE r.id = ?
"""


def take(
    connection: sqlite3.Connection, supervisor: str, now: datetime, most: int, only: frozenset[str] | None = None
) -> list[Job]:
    """Take runs whose time has come, at most so many, the longest-waiting first; call it inside of a durable transaction."""
    where, values = _of(only)
    rows = connection.execute(
        f"SELECT r.id {_WAITING} AND r.due_at <= ?{where} ORDER BY r.due_at, r.id LIMIT ?",
        (to_millis(now), *values, most),
    )
    run_ids = [run_id for (run_id,) in rows]
    connection.executemany("UPDATE runs SET supervisor = ? WHERE id = ?", [(supervisor, run_id) for run_id in run_ids])
    return [job(connection, run_id) for run_id in run_ids]


def next_due(connection: sqlite3.Connection, only: frozenset[str] | None = None) -> datetime | None:
    """Return when the first of the waiting runs may start, whether or not another run of its task is in its way."""
    where, values = _of(only)
    sql = "SELECT min(r.due_at) FROM runs r JOIN tasks t ON t.key = r.task WHERE r.status = 'running' AND r.supervisor IS NULL"
    (due,) = connection.execute(sql + where, values).fetchone()
    return None if due is None else from_millis(due)


def _of(only: frozenset[str] | None) -> tuple[str, tuple[str, ...]]:
    if only is None:
        return "", ()
    return f" AND t.id IN ({', '.join('?' * len(only))})", tuple(only)


def job(connection: sqlite3.Connection, run_id: int) -> Job:
    """Return what it takes to make the next attempt of a run."""
    return _job(connection.execute(_JOB, (run_id,)).fetchone())


def _job(row: tuple[Any, ...]) -> Job:
    run_id, task, scheduled_for, attempts, trigger, code, code_line, timezone, timeout, kill_grace = row[:10]
    tries, delay, backoff, max_delay = row[10:14]
    memory, cpu, processes, open_files, file_size, env, secrets = row[14:]
    return Job(
        run_id=run_id,
        task=task,
        path=FOLDER + task + SUFFIX,
        code=code,
        code_line=code_line,
        timezone=timezone,
        timeout=timeout * _MILLISECOND,
        kill_grace=kill_grace * _MILLISECOND,
        scheduled_for=None if scheduled_for is None else from_millis(scheduled_for),
        attempt=attempts + 1,
        # Whoever asks for a run by hand looks at how it ends, and asks again.
        retry=Retry(1 if trigger in BY_HAND else tries, delay * _MILLISECOND, backoff, max_delay * _MILLISECOND),
        limits=Limits(memory, None if cpu is None else cpu * _MILLISECOND, processes, open_files, file_size),
        env=env,
        secrets=tuple(secrets.split()),
    )


def give_back(connection: sqlite3.Connection, run_ids: Iterable[int], now: datetime) -> None:
    """Let somebody else take runs that were taken and never started; those that somebody wanted to end, end."""
    for run_id in run_ids:
        connection.execute(
            """
            UPDATE runs SET status = 'cancelled', reason = cancel_reason, finished_at = ?
            WHERE id = ? AND status = 'running' AND cancel_reason IS NOT NULL
            """,
            (to_millis(now), run_id),
        )
        connection.execute("UPDATE runs SET supervisor = NULL WHERE id = ? AND status = 'running'", (run_id,))


def asked(connection: sqlite3.Connection) -> list[str]:
    """Return who has runs in hand that somebody wants to end."""
    rows = connection.execute(
        """
        SELECT DISTINCT supervisor FROM runs
        WHERE status = 'running' AND supervisor IS NOT NULL AND cancel_reason IS NOT NULL
        """
    )
    return [supervisor for (supervisor,) in rows]


def asked_to_end(connection: sqlite3.Connection, supervisor: str) -> list[tuple[int, str]]:
    """Return the runs in these hands that somebody wants to end, with the reason."""
    sql = "SELECT id, cancel_reason FROM runs WHERE status = 'running' AND supervisor = ? AND cancel_reason IS NOT NULL"
    return list(connection.execute(sql, (supervisor,)))
