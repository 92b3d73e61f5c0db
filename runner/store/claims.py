"""Find the tasks that are due, and record the decisions about their slots and the runs that persons request."""

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
    """A task that has a next slot, with the state and the runs that a decision depends on.

    `running` are the ids of its runs that have not ended, without trials. `commit` is the commit of its version.
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
    """Yield the tasks whose next slot is due, the longest-waiting first; with `only`, those whose id it has.

    The caller may change tasks meanwhile: the list of due tasks is read before the first one is yielded.
    """
    sql = "SELECT key, id FROM tasks WHERE next_due <= ? ORDER BY next_due, id"
    for key, task_id in list(session.query(sql, (to_millis(now),))):
        if only is None or task_id in only:
            yield from _due(session, f"{_DUE} WHERE t.key = ?", key)


def planned_tasks(session: Reading) -> Iterator[Due]:
    """Yield every task that has a next slot."""
    yield from _due(session, f"{_DUE} WHERE t.next_due IS NOT NULL")


def _due(session: Reading, sql: str, *values: int) -> Iterator[Due]:
    for row in list(session.query(sql, values)):
        columns = row[4 + STATE :]
        running = runs_under_way(session, row[0])
        key, version, commit, task = row[:4]
        yield Due(key, version, commit, task, spec_of(columns), policy_of(columns), state_of(row[4:]), running)


class Clock(Value):
    """What ticks have recorded about the clock.

    `decided_at` is when a tick last decided a slot, None if none has. `behind_until` is the instant from which the
    clock was set back; None if it was not set back, or has passed that instant again.
    """

    decided_at: datetime | None
    behind_until: datetime | None


def clock_of(session: Reading) -> Clock:
    """Return what earlier ticks have recorded about the clock."""
    row = session.one("SELECT decided_at, clock_behind_until FROM catalog") or (None, None)
    return Clock(instant(row[0]), instant(row[1]))


def set_clock(session: Deciding, clock: Clock) -> None:
    """Record what this tick has found about the clock."""
    session.change(
        "UPDATE catalog SET decided_at = ?, clock_behind_until = ?",
        (millis(clock.decided_at), millis(clock.behind_until)),
    )


def zones_in_use(session: Reading) -> list[str]:
    """Return the sorted names of the time zones of tasks that have a next slot."""
    sql = "SELECT DISTINCT v.timezone FROM tasks t JOIN versions v ON v.id = t.version WHERE t.next_due IS NOT NULL ORDER BY 1"
    return [name for (name,) in session.query(sql)]


def zone_files(session: Reading) -> str:
    """Return the recorded description of the zone files with which the next slots were computed; empty if none is."""
    return str(session.value("SELECT zones FROM catalog") or "")


def set_zone_files(session: Deciding, files: str) -> None:
    """Record the description (`runner.zone_files`) of the zone files with which the next slots were computed."""
    session.change("UPDATE catalog SET zones = ?", (files,))


def start_by(session: Deciding, now: datetime) -> None:
    """Let waiting runs that are due later start now: their slots were decided before the clock was set back."""
    at = to_millis(now)
    session.change(
        "UPDATE runs SET due_at = ? WHERE status = 'running' AND supervisor IS NULL AND due_at > ?", (at, at)
    )


def record(session: Deciding, due: Due, decided: TaskDecision, now: datetime) -> tuple[list[int], list[int]]:
    """Record the decisions about a task's slots, and its new state; return the ids of claimed and of skipped runs."""
    claimed, skipped = record_decisions(session, due.key, due.version, due.commit, decided.decisions, now)
    set_state(session, due.key, due.task, due.spec, due.policy, decided.state)
    return claimed, skipped


def record_decisions(
    session: Deciding,
    key: int,
    version: int,
    commit: str | None,
    decisions: tuple[Decision, ...],
    now: datetime,
) -> tuple[list[int], list[int]]:
    """Record the decisions about a task's slots; return the ids of claimed and of skipped runs.

    A slot that was decided before the clock was set back is not decided again.
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
    """Return whether a slot has been decided, perhaps before the clock was set back."""
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
    """Record a slot that is not run; return the id of its row.

    All slots that the same run blocks have one row: `through` is the last of them, `missed` counts all but the first.
    """
    slot = to_millis(decision.slot)
    # A row whose `through` is later was written before the clock was set back. It is not changed, because it would
    # lose its later slots.
    known = session.value(
        """
        SELECT id FROM runs WHERE task = ? AND status = 'skipped' AND blocked_by = ? AND through < ?
        ORDER BY through DESC LIMIT 1
        """,
        (key, decision.blocked_by, slot),
    )
    if known is not None:
        session.change(
            "UPDATE runs SET through = ?, missed = missed + ? WHERE id = ?", (slot, decision.missed + 1, known)
        )
        return int(known)
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
    """A run that a person requests: the key of its task, the version and its commit.

    For a replay, `replayed` is the id of the run that it repeats, and `scheduled_for` the slot of that run.
    """

    key: int
    version: int
    commit: str | None
    replayed: int | None = None
    scheduled_for: datetime | None = None


def claim_by_hand(session: Deciding, request: RunRequest, owner: str, now: datetime) -> int:
    """Record a run that a person requests, and return its id. It claims no slot, and has its owner from the start."""
    run_id = session.add(
        "runs",
        {
            "task": request.key,
            "version": request.version,
            "commit_id": request.commit,
            "trigger": MANUAL if request.replayed is None else REPLAY,
            "status": RUNNING,
            "reason": "requested by hand" if request.replayed is None else f"replay of run {request.replayed}",
            "scheduled_for": millis(request.scheduled_for),
            "decided_at": to_millis(now),
            "due_at": to_millis(now),
            "supervisor": owner,
        },
    )
    note(session, event.CLAIMED, now, run=run_id)
    return run_id


def runs_under_way(session: Reading, key: int, *, or_tried: bool = False) -> tuple[int, ...]:
    """Return the ids of a task's runs that have not ended, the oldest first; with `or_tried`, of trials, too."""
    sql = "SELECT id, coalesce(commit_id, '') FROM runs WHERE task = ? AND status = 'running' ORDER BY id"
    return tuple(run_id for run_id, commit in session.query(sql, (key,)) if or_tried or commit != WORKTREE)
