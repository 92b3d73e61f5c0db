"""Query the runs and their attempts."""

from __future__ import annotations

import json

from runner.clock import from_millis, to_millis
from runner.model.attempt_result import RunError
from runner.model.context import ContextUse
from runner.model.run import AttemptRecord, Run, RunDetails
from runner.model.statuses import RETRYING, RUNNING, WAITING
from runner.store.rows import instant, is_of_commit
from runner.store.session import Reading
from runner.value import Value

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Any

    from runner.model.statistics import SlotRun

    #: An SQL condition, and its values.
    _Condition = tuple[str, tuple[object, ...]]

_RUN = """
    SELECT r.id, t.id, r."trigger", r.status, v.timezone, r.reason, r.scheduled_for, r.started_at, r.finished_at,
           r.commit_id, r.attempts, r.missed, a.exit_code, a.signal, a.error_type, a.error_message, a.error_file, a.error_line,
           CASE WHEN r.status = 'running' AND r.supervisor IS NULL THEN r.due_at END
    FROM runs r JOIN tasks t ON t.key = r.task JOIN versions v ON v.id = r.version
    LEFT JOIN attempts a ON a.run = r.id AND a.number = r.attempts
"""


class Counts(Value):
    """The number of runs that have not ended, and for each status the number of runs that ended since an instant."""

    running: int
    since: dict[str, int]


#: The words that commands show for runs of the status `running` → the condition of each.
_UNDER_WAY = {
    RUNNING: "r.status = 'running' AND r.started_at IS NOT NULL AND r.supervisor IS NOT NULL",
    RETRYING: "r.status = 'running' AND r.started_at IS NOT NULL AND r.supervisor IS NULL",
    WAITING: "r.status = 'running' AND r.started_at IS NULL",
}
#: The time of a run that commands show: its start; before that its slot; without a slot, the time of the request.
_WHEN = "coalesce(r.started_at, r.scheduled_for, r.decided_at)"


def find_runs(
    session: Reading,
    task: str | None = None,
    status: str | None = None,
    limit: int | None = None,
) -> list[Run]:
    """Return at most `limit` runs, newest first, of one task and one status; None for all."""
    return _find(session, [*_of_task(task), *_of_status(status)], limit)


def shown_runs(
    session: Reading,
    task: str | None,
    word: str | None,
    limit: int,
    since: datetime | None,
    until: datetime | None,
) -> list[Run]:
    """Return at most `limit` runs in [since, until), newest first, of one task and one shown word; None for all."""
    conditions = [*_of_task(task)]
    conditions += [(_UNDER_WAY[word], ())] if word in _UNDER_WAY else _of_status(word)
    conditions += [] if since is None else [(f"{_WHEN} >= ?", (to_millis(since),))]
    conditions += [] if until is None else [(f"{_WHEN} < ?", (to_millis(until),))]
    return _find(session, conditions, limit)


def _of_task(task: str | None) -> list[_Condition]:
    # A subquery for the key, so that SQLite uses the index of runs by task: a filter on `t.id` would read every run.
    return [] if task is None else [("r.task = (SELECT key FROM tasks WHERE id = ?)", (task,))]


def _of_status(status: str | None) -> list[_Condition]:
    return [] if status is None else [("r.status = ?", (status,))]


def _find(session: Reading, conditions: list[_Condition], limit: int | None) -> list[Run]:
    where = " AND ".join(condition for condition, _ in conditions) or "1 = 1"
    values = [value for _, given in conditions for value in given]
    sql = f"{_RUN} WHERE {where} ORDER BY r.id DESC"
    if limit is not None:
        sql, values = f"{sql} LIMIT ?", [*values, limit]
    return [_run(row) for row in session.query(sql, values)]


def runs_by_id(session: Reading, run_ids: Iterable[int]) -> list[Run]:
    """Return the runs with these ids, in the order of the ids."""
    sql = f"{_RUN} WHERE r.id = ?"
    return [_run(row) for run_id in sorted(run_ids) for row in session.query(sql, (run_id,))]


def last_runs(session: Reading) -> dict[str, Run]:
    """Return the newest run of each task, by the id of the task. Skipped slots, replays and trials do not count."""
    sql = f"""
        {_RUN} WHERE r.id IN (
            SELECT (
                SELECT max(l.id) FROM runs l WHERE l.task = k.key AND l.status <> 'skipped' AND l."trigger" <> 'replay'
                AND {is_of_commit("l")}
            ) FROM tasks k
        )
    """  # noqa: S608 - a constant of ours
    return {run.task: run for run in map(_run, session.query(sql))}


def last_run(session: Reading, task_id: str) -> Run | None:
    """Return the newest run of a task; None if it has none. Skipped slots and replays do not count, trials do."""
    of_task = """r.task = (SELECT key FROM tasks WHERE id = ?) AND r.status <> 'skipped' AND r."trigger" <> 'replay'"""
    return _one(session, f"{of_task} ORDER BY r.id DESC", task_id)


class Progress(Value):
    """The status of a run, None if there is no such run, and the number and the status of each attempt."""

    status: str | None
    attempts: tuple[tuple[int, str], ...]


def progress(session: Reading, run_id: int) -> Progress:
    """Return the statuses of a run and of its attempts, without their output."""
    rows = session.query("SELECT number, status FROM attempts WHERE run = ? ORDER BY number", (run_id,))
    attempts = tuple((number, status) for number, status in rows)
    return Progress(session.value("SELECT status FROM runs WHERE id = ?", (run_id,)), attempts)


def output(session: Reading, run_id: int, number: int) -> bytes:
    """Return the recorded output of an attempt; empty if there is none."""
    return bytes(session.value("SELECT output FROM outputs WHERE run = ? AND attempt = ?", (run_id, number)) or b"")


def run_details(session: Reading, run_id: int) -> RunDetails | None:
    """Return a run with all of its attempts and their output; None if there is no such run."""
    row = session.one(f"{_RUN} WHERE r.id = ?", (run_id,))
    if row is None:
        return None
    rows = session.query(
        """
        SELECT a.number, a.status, a.reason, a.started_at, a.finished_at, a.exit_code, a.signal, a.error_type, a.error_message,
               a.error_file, a.error_line, a.traceback, o.output, a.output_dropped_bytes, a.context, a.rehearsal
        FROM attempts a LEFT JOIN outputs o ON o.run = a.run AND o.attempt = a.number WHERE a.run = ? ORDER BY a.number
        """,
        (run_id,),
    )
    return RunDetails(_run(row), tuple(map(_attempt, rows)))


def _attempt(row: tuple[Any, ...]) -> AttemptRecord:
    number, status, reason, started_at, finished_at, exit_code, signal = row[:7]
    return AttemptRecord(
        number=number,
        status=status,
        reason=reason,
        started_at=from_millis(started_at),
        finished_at=instant(finished_at),
        exit_code=exit_code,
        signal=signal,
        error=None if row[7] is None else RunError(*row[7:11]),
        traceback=row[11],
        output=row[12] or b"",
        output_dropped_bytes=row[13],
        context=None if row[14] is None else ContextUse(**json.loads(row[14])),
        rehearsal=row[15] or "",
    )


def run_at(session: Reading, key: int, instant: datetime) -> Run | None:
    """Return the run or the skipped row of a task's last slot at or before an instant. Replays do not count."""
    condition = """r.task = ? AND r.scheduled_for <= ? AND r."trigger" <> 'replay' ORDER BY r.scheduled_for DESC"""
    return _one(session, condition, key, to_millis(instant))


def run_after(session: Reading, key: int, instant: datetime) -> Run | None:
    """Return the run or the skipped row of a task's first decided slot after an instant. Replays do not count."""
    condition = """r.task = ? AND r.scheduled_for > ? AND r."trigger" <> 'replay' ORDER BY r.scheduled_for"""
    return _one(session, condition, key, to_millis(instant))


def stretch(session: Reading, run_id: int) -> tuple[datetime | None, int | None, datetime]:
    """Return the last slot that a skipped row covers, the id of the run that blocked it, and when it was decided."""
    sql = "SELECT through, blocked_by, decided_at FROM runs WHERE id = ?"
    through, blocked_by, decided_at = session.one(sql, (run_id,)) or (None, None, 0)
    return instant(through), blocked_by, from_millis(decided_at)


def decided_before(session: Reading, moment: datetime) -> datetime | None:
    """Return when a tick last decided a slot of any task before an instant; None if no tick did."""
    by_tick = """"trigger" NOT IN ('manual', 'replay')"""
    sql = f"SELECT decided_at FROM runs WHERE decided_at < ? AND {by_tick} ORDER BY id DESC LIMIT 1"  # noqa: S608
    return instant(session.value(sql, (to_millis(moment),)))


def version_of(session: Reading, run_id: int) -> int:
    """Return the id of the version with which a run was started."""
    return int(session.value("SELECT version FROM runs WHERE id = ?", (run_id,)))


class Streak(Value):
    """The last run of a task that has ended, its last success, and the first and the number of failures since then.

    A run is None where there is none. Skipped slots, replays and trials do not count.
    """

    last: Run | None
    last_success: Run | None
    first_failure: Run | None
    failures: int


def streak(session: Reading, task_id: str) -> Streak:
    """Return the last success of a task, and the failures since then."""
    of_task = f"""r.task = (SELECT key FROM tasks WHERE id = ?) AND r."trigger" <> 'replay' AND {is_of_commit("r")}"""  # noqa: S608
    failed = f"{of_task} AND r.status IN ('failed', 'timed_out', 'lost') AND r.id > ?"
    last = _one(session, f"{of_task} AND r.status NOT IN ('running', 'skipped') ORDER BY r.id DESC", task_id)
    success = _one(session, f"{of_task} AND r.status = 'succeeded' ORDER BY r.id DESC", task_id)
    since = 0 if success is None else success.run_id
    first = _one(session, f"{failed} ORDER BY r.id", task_id, since)
    count = int(session.value(f"SELECT count(*) FROM runs r WHERE {failed}", (task_id, since)))  # noqa: S608
    return Streak(last, success, first, count)


def _one(session: Reading, condition: str, *values: object) -> Run | None:
    row = session.one(f"{_RUN} WHERE {condition} LIMIT 1", values)
    return None if row is None else _run(row)


def counts_since(session: Reading, since: datetime) -> Counts:
    """Return how many runs have not ended, trials included, and how many ended since, by status, without trials."""
    running = int(session.value("SELECT count(*) FROM runs WHERE status = 'running'"))
    at = to_millis(since)
    of_commit = is_of_commit("runs")
    sql = f"SELECT status, count(*) FROM runs WHERE finished_at >= ? AND {of_commit} GROUP BY status"  # noqa: S608
    ended = {status: int(count) for status, count in session.query(sql, (at,))}
    # A skipped slot has no `finished_at`. Ids grow with time, so the scan stops at the first row that is older.
    skipped = 0
    for (decided_at,) in session.query("SELECT decided_at FROM runs WHERE status = 'skipped' ORDER BY id DESC"):
        if decided_at < at:
            break
        skipped += 1
    return Counts(running, ended | ({"skipped": skipped} if skipped else {}))


def runs_of_slots(session: Reading, since: datetime, task: str | None = None) -> Iterator[tuple[str, SlotRun]]:
    """Yield the runs of slots later than `since`, which have ended or were skipped, each with its task. No trials."""
    from runner.model.statistics import SlotRun  # noqa: PLC0415 - no tick comes here

    where = f"r.scheduled_for > ? AND r.status <> 'running' AND {is_of_commit('r')}"
    values: list[object] = [to_millis(since)]
    for condition, given in _of_task(task):
        where, values = f"{where} AND {condition}", [*values, *given]
    sql = f"""
        SELECT t.id, r.scheduled_for, r.status, r.started_at, r.finished_at
        FROM runs r JOIN tasks t ON t.key = r.task WHERE {where}
    """  # noqa: S608
    for name, slot, status, started_at, finished_at in session.query(sql, tuple(values)):
        ran = started_at is not None and finished_at is not None
        seconds = max(0, finished_at - started_at) / 1000 if ran else None
        yield name, SlotRun(from_millis(slot), status, instant(finished_at), seconds)


def _run(row: tuple[Any, ...]) -> Run:
    """Return the run of a row of _RUN, whose columns are in the order of the fields: positional values are faster."""
    error = None if row[14] is None else RunError(*row[14:18])
    values = (*row[:6], *map(instant, row[6:9]), *row[9:14], error, instant(row[18]))
    return Run(*values)
