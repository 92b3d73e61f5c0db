"""Deciding slots: which tasks are due, and what was decided about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from runner.clock import to_millis
from runner.model import event
from runner.model.state import START, Decision, TaskDecision, TaskState
from runner.model.statuses import MANUAL, REPLAY, RUNNING, SKIPPED, WORKTREE
from runner.model.task import Policy, ScheduleSpec
from runner.store.catalogs import set_state
from runner.store.events import note
from runner.store.rows import SPEC_COLUMNS, STATE, STATE_COLUMNS, instant, millis, policy_of, spec_of, state_of
from runner.store.session import Deciding, Reading
from runner.value import Value


class Due(Value):
    """A task with a slot that has come.

    `running` are its runs that have not ended; `commit` the one its version is from.
    """

    key: int
    version: int
    commit: str | None
    task: str
    spec: ScheduleSpec
    policy: Policy
    state: TaskState
    running: tuple[int, ...]


_DUE = f"""
    SELECT t.key, t.version, coalesce(t.valid_commit, c.commit_id), t.id, {STATE_COLUMNS}, {SPEC_COLUMNS}
    FROM tasks t JOIN versions v ON v.id = t.version CROSS JOIN catalog c
"""  # noqa: S608 - columns are constants of ours


def due_tasks(session: Reading, now: datetime, only: frozenset[str] | None) -> Iterator[Due]:
    """Yield the tasks with a slot that has come, longest-waiting first; of those named in `only`, where it is given.

    The tasks may be changed while they come: which ones they are is known before the first does.
    """
    sql = "SELECT key, id FROM tasks WHERE next_due <= ? ORDER BY next_due, id"
    for key, task_id in list(session.ask(sql, (to_millis(now),))):
        if only is None or task_id in only:
            yield from _due(session, f"{_DUE} WHERE t.key = ?", key)


def planned_tasks(session: Reading) -> Iterator[Due]:
    """Yield every task that has a next slot."""
    yield from _due(session, f"{_DUE} WHERE t.next_due IS NOT NULL")


def _due(session: Reading, sql: str, *values: int) -> Iterator[Due]:
    for row in list(session.ask(sql, values)):
        columns = row[4 + STATE :]
        running = runs_under_way(session, row[0])
        key, version, commit, task = row[:4]
        yield Due(key, version, commit, task, spec_of(columns), policy_of(columns), state_of(row[4:]), running)


class Clock(Value):
    """What ticks knew of time: when one last decided something, and from when the clock was set back, where it is behind."""

    decided_at: datetime | None
    behind_until: datetime | None


def clock_of(session: Reading) -> Clock:
    """Return what the last ticks knew of time."""
    row = session.one("SELECT decided_at, clock_behind_until FROM catalog") or (None, None)
    return Clock(instant(row[0]), instant(row[1]))


def set_clock(session: Deciding, clock: Clock) -> None:
    """Record what this tick knows of time."""
    session.change(
        "UPDATE catalog SET decided_at = ?, clock_behind_until = ?",
        (millis(clock.decided_at), millis(clock.behind_until)),
    )


def zones_in_use(session: Reading) -> list[str]:
    """Return the names of the zones that tasks with a next slot follow, sorted."""
    sql = "SELECT DISTINCT v.timezone FROM tasks t JOIN versions v ON v.id = t.version WHERE t.next_due IS NOT NULL ORDER BY 1"
    return [name for (name,) in session.ask(sql)]


def zone_files(session: Reading) -> str:
    """Return the files of the zones as they were when the next slots were computed."""
    return str(session.value("SELECT zones FROM catalog") or "")


def set_zone_files(session: Deciding, files: str) -> None:
    """Record the files of the zones that the next slots were computed with."""
    session.change("UPDATE catalog SET zones = ?", (files,))


def start_by(session: Deciding, now: datetime) -> None:
    """Let runs that wait for an instant ahead start now: they were decided while the clock was wrong."""
    at = to_millis(now)
    session.change(
        "UPDATE runs SET due_at = ? WHERE status = 'running' AND supervisor IS NULL AND due_at > ?", (at, at)
    )


def record(session: Deciding, due: Due, verdict: TaskDecision, now: datetime) -> tuple[list[int], list[int]]:
    """Record what was decided and where the task stands after it; return the ids of what is to be run, and of what is not."""
    claimed, skipped = record_decisions(session, due.key, due.version, due.commit, verdict.decisions, now)
    set_state(session, due.key, due.task, due.spec, due.policy, verdict.state)
    return claimed, skipped


def record_decisions(
    session: Deciding,
    key: int,
    version: int,
    commit: str | None,
    decisions: tuple[Decision, ...],
    now: datetime,
) -> tuple[list[int], list[int]]:
    """Record what was decided about slots of a task; return the ids of what is to be run, and of what is not.

    A slot that is on record already, because the clock was set back since, stays as it is.
    """
    claimed, skipped = [], []
    for decision in decisions:
        if is_decided(session, key, decision.slot):
            continue
        if decision.action == START:
            claimed.append(_claim(session, key, version, commit, decision, now))
        else:
            skipped.append(_record_skip(session, key, version, commit, decision, now))
    return claimed, skipped


def is_decided(session: Reading, key: int, slot: datetime) -> bool:
    """Return whether a slot is on record already: the clock may have been set back since."""
    sql = """SELECT 1 FROM runs WHERE task = ? AND scheduled_for = ? AND "trigger" <> 'replay'"""
    return session.one(sql, (key, to_millis(slot))) is not None


def _claim(session: Deciding, key: int, version: int, commit: str | None, decision: Decision, now: datetime) -> int:
    run_id = session.add(
        "runs",
        {
            "task": key,
            "version": version,
            "commit_id": commit,
            "trigger": decision.trigger,
            "status": RUNNING,
            "reason": decision.reason,
            "scheduled_for": to_millis(decision.slot),
            "missed": decision.missed,
            "decided_at": to_millis(now),
            "due_at": to_millis(decision.due_at or now),
        },
    )
    note(session, event.CLAIMED, now, run=run_id)
    return run_id


def _record_skip(
    session: Deciding, key: int, version: int, commit: str | None, decision: Decision, now: datetime
) -> int:
    """Record a slot that is not run.

    A stretch of slots behind one run is one row: later ones are counted in `missed`.
    """
    slot = to_millis(decision.slot)
    # One that goes on later, by a clock that was right for a while, is left as it is: what it stands for would be
    # lost.
    stretch = session.value(
        """
        SELECT id FROM runs WHERE task = ? AND status = 'skipped' AND blocked_by = ? AND through < ?
        ORDER BY through DESC LIMIT 1
        """,
        (key, decision.blocked_by, slot),
    )
    if stretch is not None:
        session.change(
            "UPDATE runs SET through = ?, missed = missed + ? WHERE id = ?", (slot, decision.missed + 1, stretch)
        )
        return int(stretch)
    run_id = session.add(
        "runs",
        {
            "task": key,
            "version": version,
            "commit_id": commit,
            "trigger": decision.trigger,
            "status": SKIPPED,
            "reason": decision.reason,
            "scheduled_for": slot,
            "through": slot,
            "missed": decision.missed,
            "blocked_by": decision.blocked_by,
            "decided_at": to_millis(now),
        },
    )
    note(session, event.SKIPPED, now, run=run_id, detail=decision.reason)
    return run_id


class RunRequest(Value):
    """A run that a person asks for: a version of a task, and the run that is made again where it is a replay."""

    key: int
    version: int
    commit: str | None
    replayed: int | None = None
    scheduled_for: datetime | None = None


def claim_by_hand(session: Deciding, wanted: RunRequest, owner: str, now: datetime) -> int:
    """Record a run that a person asked for; it takes no slot, and is owned at once. Return its id."""
    run_id = session.add(
        "runs",
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
            "supervisor": owner,
        },
    )
    note(session, event.CLAIMED, now, run=run_id)
    return run_id


def runs_under_way(session: Reading, key: int, *, or_tried: bool = False) -> tuple[int, ...]:
    """Return the runs of a task that have not ended, the oldest first; with `or_tried` also those that try the work tree."""
    sql = "SELECT id, coalesce(commit_id, '') FROM runs WHERE task = ? AND status = 'running' ORDER BY id"
    return tuple(run_id for run_id, commit in session.ask(sql, (key,)) if or_tried or commit != WORKTREE)
