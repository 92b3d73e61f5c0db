"""The queue: runs that wait for an owner, runs that have one, and the requests to end them.

A tick that has a free concurrency slot takes the run that has waited longest. These functions, with `record_start` and
`end_attempt` of `endings`, are what another database has to provide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from runner import planning
from runner.clock import from_millis, to_millis
from runner.model import event
from runner.model.attempt_result import AttemptResult
from runner.model.context import Context
from runner.model.environment import ENVIRONMENT, LONGEST_BUILD
from runner.model.job import Job
from runner.model.retry import ONCE, Retry
from runner.model.settings import FILES
from runner.model.statuses import BY_HAND, CANCELLED, RUNNING, SKIPPED
from runner.model.task import Task
from runner.store.catalogs import data_folder
from runner.store.endings import MARGIN, NOT_STARTED, OVERDUE, AttemptEnd, end_attempt, overdue
from runner.store.events import note
from runner.store.rows import TASK_COLUMNS, contexts_of, instant, is_of_commit, policy_of, task_of
from runner.store.session import Deciding, Reading
from runner.value import Value, replace

_MILLISECOND = timedelta(milliseconds=1)
_NO_CONTEXTS: Mapping[str, int] = {}


class RunSettings(Value):
    """The settings of the repository that apply to all runs, and the id of the store.

    `files` are the paths that runs see of their commit; `secrets_file` is None where there is none. `accepted` is the
    last commit whose files were accepted: empty if there is none, None if signatures are not required.
    `contexts` are those of runner.yaml.
    """

    store_id: str
    max_parallel: int
    shutdown_grace: timedelta
    secrets_file: str | None
    files: tuple[str, ...]
    accepted: str | None
    contexts: tuple[Context, ...] = ()

    def context(self, name: str) -> Context | None:
        """Return the context of a name; None where there is none."""
        return next((context for context in self.contexts if context.name == name), None)


def run_settings(session: Reading) -> RunSettings:
    """Return the settings of the repository that apply to all runs."""
    row = session.one(
        """
        SELECT store_id, max_parallel, shutdown_grace, secrets_file, files,
               CASE WHEN require_signed = 1 THEN coalesce(files_commit, commit_id) END, contexts
        FROM catalog
        """
    )
    store_id, max_parallel, grace, secrets_file, files, accepted, contexts = row or ("", 1, 0, "", "", None, "")
    folders = tuple(files.split("\n")) if files else FILES
    return RunSettings(
        store_id, max_parallel, grace * _MILLISECOND, secrets_file or None, folders, accepted, contexts_of(contexts)
    )


# Under `forbid` and `replace`, the runs of a task run one after another, the oldest first. A trial of the work tree
# blocks no other run.
_WAITING = f"""
    FROM runs r JOIN versions v ON v.id = r.version JOIN tasks t ON t.key = r.task
    WHERE r.status = 'running' AND r.supervisor IS NULL
      AND (v.concurrency_policy = 'allow' OR NOT EXISTS (
          SELECT 1 FROM runs o
          WHERE o.task = r.task AND o.status = 'running' AND o.id <> r.id AND {is_of_commit("o")}
            AND (o.supervisor IS NOT NULL OR o.id < r.id)
      ))
"""  # noqa: S608 - a condition of ours
_JOB = f"""
    SELECT r.id, t.id, r.scheduled_for, r.attempts, r."trigger", r.commit_id, v.blob, t.data, {TASK_COLUMNS}
    FROM runs r JOIN versions v ON v.id = r.version JOIN tasks t ON t.key = r.task WHERE r.id = ?
"""  # noqa: S608 - columns are constants of ours
_TASK = 8  # the index of the first of TASK_COLUMNS in a row of _JOB


class Taken(Value):
    """What was taken from the queue: jobs to start now, and the ids of runs that waited too long for their slots."""

    jobs: list[Job]
    missed: list[int]


def take(
    session: Deciding,
    owner: str,
    now: datetime,
    most: int,
    only: frozenset[str] | None = None,
    room: Mapping[str, int] = _NO_CONTEXTS,
) -> Taken:
    """Take at most `most` runs that are due, the longest-waiting first; with `only`, runs of the tasks with these ids.

    `room` says for each context how many of its runs are taken at most; of a context that it does not have, all are.
    A run that has waited too long, by the policy of its task, ends as skipped instead. Call it inside a durable
    transaction.
    """
    where, values = _of_tasks(only)
    left = dict(room)
    jobs: list[Job] = []
    missed: list[int] = []
    while len(jobs) < most:
        full = [context for context, number in left.items() if number <= 0]
        without = f" AND v.context NOT IN ({', '.join('?' * len(full))})" if full else ""
        rows = list(
            session.query(
                f"SELECT r.id, v.context {_WAITING} AND r.due_at <= ?{where}{without} ORDER BY r.due_at, r.id LIMIT ?",
                (to_millis(now), *values, *full, most - len(jobs)),
            )
        )
        if not rows:
            break
        for run_id, context in rows:
            if left.get(context, 1) <= 0:
                continue  # this context has become full: the next query leaves it out
            if _skip_if_too_late(session, run_id, now):
                missed.append(run_id)
                continue
            jobs.append(_take(session, run_id, owner, now))
            if context in left:
                left[context] -= 1
    return Taken(jobs, missed)


def _take(session: Deciding, run_id: int, owner: str, now: datetime) -> Job:
    # An owner starts an attempt within moments of taking it. One that needs more than this time is stopped.
    session.change(
        f"UPDATE runs SET supervisor = ?, {OVERDUE} WHERE id = ?",  # noqa: S608 - a constant of ours
        (owner, *overdue(now, MARGIN * 2), run_id),
    )
    _note_wait(session, run_id, now)
    taken = taken_job(session, run_id)
    if taken.context:
        _wait_for_set_up(session, taken, now)
    return taken


def _wait_for_set_up(session: Deciding, taken: Job, now: datetime) -> None:
    """Allow an owner the time for the set-up of a context before it starts the attempt."""
    context = run_settings(session).context(taken.context)
    if context is not None or taken.dependencies:
        values = overdue(now, MARGIN * 2 + (LONGEST_BUILD if context is None else context.timeout))
        session.change(f"UPDATE runs SET {OVERDUE} WHERE id = ?", (*values, taken.run_id))  # noqa: S608


def _note_wait(session: Deciding, run_id: int, now: datetime) -> None:
    """Add to the reason of a run how long it has waited, unless it starts in its minute or the next one."""
    sql = "SELECT reason, due_at, decided_at, attempts FROM runs WHERE id = ? AND scheduled_for IS NOT NULL"
    reason, due_at, decided_at, attempts = session.one(sql, (run_id,)) or (None, None, None, 0)
    if due_at is None or attempts:
        return
    waited = planning.waited_words(from_millis(max(due_at, decided_at)), now)
    if waited is not None:
        session.change("UPDATE runs SET reason = ? WHERE id = ?", (f"{reason}; {waited}", run_id))


def _skip_if_too_late(session: Deciding, run_id: int, now: datetime) -> bool:
    """End a waiting run as skipped if it has waited too long for its slot; return whether it has."""
    row = session.one(
        """
        SELECT r.scheduled_for, r.due_at, r.attempts, v.timezone, v.frequency, v.unit, v.cron, v.rrule, v."start", v."end",
               v.concurrency_policy, v.catchup, v.starting_deadline, v.jitter,
               EXISTS (SELECT 1 FROM runs o WHERE o.task = r.task AND o.status = 'running' AND o.supervisor IS NULL
                       AND o.scheduled_for > r.scheduled_for)
        FROM runs r JOIN versions v ON v.id = r.version WHERE r.id = ?
        """,
        (run_id,),
    )
    if row is None or row[0] is None or row[2] > 0:
        return False  # requested by a person, or it began in time and waits for another attempt
    slot, due_at = from_millis(row[0]), from_millis(row[1])
    reason = planning.missed_in_the_queue(policy_of(row[3:]), slot, due_at, now, has_newer=bool(row[14]))
    if reason is None:
        return False
    end_attempt(session, AttemptEnd(run_id, 1, None, AttemptResult(SKIPPED, None, now, reason), reason))
    return True


def next_due(session: Reading, only: frozenset[str] | None = None) -> datetime | None:
    """Return when the first waiting run is due, even if another run of its task blocks it; None if no run waits."""
    where, values = _of_tasks(only)
    sql = "SELECT min(r.due_at) FROM runs r JOIN tasks t ON t.key = r.task WHERE r.status = 'running' AND r.supervisor IS NULL"
    return instant(session.value(sql + where, values))


def _of_tasks(only: frozenset[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return an SQL condition that limits runs to tasks by their ids, and its values; empty for all tasks."""
    if only is None:
        return "", ()
    return f" AND t.id IN ({', '.join('?' * len(only))})", tuple(only)


def job(session: Reading, run_id: int) -> Job:
    """Return the job of the next attempt of a run. Raises LookupError where there is no such run."""
    row = session.one(_JOB, (run_id,))
    if row is None:
        raise LookupError(f"there is no run {run_id}")
    task = task_of(row[1], row[_TASK:])
    # A run that a person requested has no retry: the person sees how it ends, and can request it again.
    made = job_of(task, row[0], row[3] + 1, instant(row[2]), retry=ONCE if row[4] in BY_HAND else task.retry)
    return replace(made, commit=row[5] or "", blob=row[6], data=row[7] or "")


def taken_job(session: Deciding, run_id: int) -> Job:
    """Return the job of the next attempt of a run; name the data folder of its task if it has none yet."""
    found = job(session, run_id)
    return found if found.data else replace(found, data=data_folder(session, found.task))


def job_of(task: Task, run_id: int, attempt: int, scheduled_for: datetime | None, *, retry: Retry) -> Job:
    """Return the job of one attempt of a run: what its task declares, and the data of the run."""
    return Job(
        run_id=run_id,
        task=task.id,
        path=task.path,
        code=task.code,
        code_line=task.code_line,
        timezone=task.schedule.timezone,
        timeout=task.timeout,
        kill_grace=task.kill_grace,
        scheduled_for=scheduled_for,
        attempt=attempt,
        retry=retry,
        limits=task.limits,
        env=task.env,
        secrets=task.secrets,
        context=task.context,
        rollback=task.rollback,
        permissions=task.permissions,
        run_as=task.run_as,
        dependencies=task.dependencies,
    )


def waiting_for_packages(session: Reading) -> list[tuple[int, tuple[str, ...]]]:
    """Return the runs under way whose code names packages, each with these."""
    sql = "SELECT r.id, v.definition FROM runs r JOIN versions v ON v.id = r.version WHERE r.status = ? AND v.context LIKE ?"
    rows = session.query(sql, (RUNNING, f"{ENVIRONMENT}%"))
    return [(run_id, tuple(json.loads(definition)["dependencies"])) for run_id, definition in rows]


def release(session: Deciding, owner: str, taken: Iterable[tuple[int, int]], now: datetime) -> None:
    """Return runs to the queue that an owner has taken and not started; end those that were asked to end.

    `taken` are ids of runs, each with the number of its attempt. A run that has started, or that the owner does not
    own any more, is not changed.
    """
    for run_id, attempt in taken:
        row = session.one(f"SELECT cancel_reason FROM runs WHERE {NOT_STARTED}", (run_id, owner, attempt))  # noqa: S608
        if row is None:
            continue
        if row[0] is not None:
            end_attempt(
                session, AttemptEnd(run_id, attempt, owner, AttemptResult(CANCELLED, None, now, row[0]), row[0])
            )
            continue
        session.change(
            "UPDATE runs SET supervisor = NULL, overdue_at = NULL, overdue_monotonic = NULL WHERE id = ?", (run_id,)
        )
        note(session, event.RELEASED, now, run=run_id)


def ask_to_end(session: Deciding, run_id: int, reason: str, now: datetime) -> str | None:
    """Ask the owner of a run to end it, and return the owner. A run without an owner ends at once.

    Return None where no owner has to end the run.
    """
    row = session.one("SELECT supervisor, attempts FROM runs WHERE id = ? AND status = 'running'", (run_id,))
    if row is None:
        return None
    if row[0] is None:
        end_attempt(session, AttemptEnd(run_id, row[1] + 1, None, AttemptResult(CANCELLED, None, now, reason), reason))
        return None
    session.change("UPDATE runs SET cancel_reason = coalesce(cancel_reason, ?) WHERE id = ?", (reason, run_id))
    note(session, event.CANCEL_ASKED, now, run=run_id, detail=reason)
    return str(row[0])


def owners_asked(session: Reading) -> list[str]:
    """Return the owners that are asked to end a run."""
    sql = "SELECT DISTINCT supervisor FROM runs WHERE status = 'running' AND supervisor IS NOT NULL AND cancel_reason IS NOT NULL"
    return [owner for (owner,) in session.query(sql)]


def asked_to_end(session: Reading, owner: str) -> list[tuple[int, str]]:
    """Return the ids of the runs that an owner is asked to end, each with the reason."""
    sql = "SELECT id, cancel_reason FROM runs WHERE status = 'running' AND supervisor = ? AND cancel_reason IS NOT NULL"
    return [(run_id, reason) for run_id, reason in session.query(sql, (owner,))]


class OwnedRun(Value):
    """A run that has an owner. `attempt` is under way since `started_at`; None if its start is not recorded.

    The attempt is overdue after `overdue_at` if its owner is stopped, and after `overdue_monotonic`, in milliseconds
    of `clock.monotonic_millis`, in any case. Both are None where they are not recorded.
    """

    run_id: int
    owner: str
    attempt: int
    started_at: datetime | None
    retry: Retry
    timeout: timedelta
    cancel_reason: str | None
    is_by_hand: bool
    overdue_at: datetime | None
    overdue_monotonic: int | None

    @property
    def is_recorded(self) -> bool:
        """Whether the start of the attempt is recorded."""
        return self.started_at is not None


def owned_runs(session: Reading) -> list[OwnedRun]:
    """Return the runs that have an owner, in the order of their ids."""
    rows = list(
        session.query(
            """
            SELECT r.id, r.supervisor, a.started_at, r.cancel_reason, r."trigger", r.overdue_at, r.overdue_monotonic
            FROM runs r LEFT JOIN attempts a ON a.run = r.id AND a.number = r.attempts AND a.status = 'running'
            WHERE r.status = 'running' AND r.supervisor IS NOT NULL ORDER BY r.id
            """
        )
    )
    return [_owned(session, row) for row in rows]


def _owned(session: Reading, row: tuple[int, str, int | None, str | None, str, int | None, int | None]) -> OwnedRun:
    run_id, owner, started_at, cancel_reason, trigger, overdue_at, overdue_monotonic = row
    following = job(session, run_id)
    return OwnedRun(
        run_id,
        owner,
        following.attempt if started_at is None else following.attempt - 1,
        instant(started_at),
        following.retry,
        following.timeout,
        cancel_reason,
        trigger in BY_HAND,
        instant(overdue_at),
        overdue_monotonic,
    )


def is_under_way(session: Reading, run_id: int, attempt: int) -> bool:
    """Return whether an attempt has not ended. One that is not recorded has not ended while its run has not."""
    status = session.value(
        """
        SELECT coalesce(a.status, r.status) FROM runs r LEFT JOIN attempts a ON a.run = r.id AND a.number = ? WHERE r.id = ?
        """,
        (attempt, run_id),
    )
    return bool(status == RUNNING)
