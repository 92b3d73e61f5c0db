"""Values as JSON. Keys are in snake_case, instants are text in ISO 8601 and UTC."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from runner.clock import iso
from runner.model.attempt_result import RunError
from runner.model.commit import Commit
from runner.model.problem import Problem, Validation
from runner.model.run import AttemptRecord, Run, RunDetails
from runner.report.verdict import verdict
from runner.value import as_dict

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.asking.dry_run import DryRun
    from runner.operations.asking.next_slots import UpcomingSlot
    from runner.operations.asking.status import Following, Status
    from runner.operations.asking.task_list import Entry
    from runner.operations.checkout import Edits
    from runner.operations.ticking.tick import TickReport


def dumps(value: Any) -> str:
    """Return a value as JSON text, indented, with letters outside ASCII as they are."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def run(value: Run) -> dict[str, Any]:
    """Return a run."""
    return {
        "run_id": value.run_id,
        "task": value.task,
        "trigger": value.trigger,
        "status": value.status,
        "reason": value.reason,
        "scheduled_for": _iso(value.scheduled_for),
        "started_at": _iso(value.started_at),
        "finished_at": _iso(value.finished_at),
        "duration_seconds": value.duration_seconds,
        "commit": value.commit,
        "attempts": value.attempts,
        "missed": value.missed,
        "exit_code": value.exit_code,
        "signal": value.signal,
        "error": _error(value.error),
    }


def run_of_commit(value: Run, commits: Mapping[str, Commit]) -> dict[str, Any]:
    """Return a run with the details of its commit."""
    return {**run(value), **commit_details(value, commits)}


def commit_details(value: Run, commits: Mapping[str, Commit]) -> dict[str, Any]:
    """Return one key, `commit_details`: the commit of a run, null where it is not among `commits`."""
    found = commits.get(value.commit or "")
    return {"commit_details": None if found is None else commit(found)}


def commit(value: Commit) -> dict[str, Any]:
    """Return a commit."""
    return {
        "commit": value.id,
        "author": value.author,
        "authored_at": iso(value.authored_at),
        "subject": value.subject,
        "pull_request": value.pull_request,
        "url": value.url,
    }


def run_details(value: RunDetails) -> dict[str, Any]:
    """Return a run with its output. `context` and `rollback` are those of the last attempt, null where it has none."""
    last = value.attempts[-1] if value.attempts else None
    return {
        **run(value.run),
        "output": value.output.decode("utf-8", "replace"),
        "output_dropped_bytes": value.output_dropped_bytes,
        "traceback": value.traceback,
        "next_attempt_at": _iso(value.run.due_at),
        "each_attempt": _all(attempt, value.attempts),
        "context": _context(last),
        "rollback": _rollback(last),
    }


def _context(value: AttemptRecord | None) -> dict[str, Any] | None:
    return None if value is None or value.context is None else as_dict(value.context)


def _rollback(value: AttemptRecord | None) -> Any:
    return json.loads(value.rehearsal) if value is not None and value.rehearsal else None


def attempt(value: AttemptRecord) -> dict[str, Any]:
    """Return one attempt of a run."""
    return {
        "attempt": value.number,
        "status": value.status,
        "reason": value.reason,
        "started_at": iso(value.started_at),
        "finished_at": _iso(value.finished_at),
        "exit_code": value.exit_code,
        "signal": value.signal,
        "error": _error(value.error),
        "output": value.output.decode("utf-8", "replace"),
        "output_dropped_bytes": value.output_dropped_bytes,
        "traceback": value.traceback,
    }


def _error(value: RunError | None) -> dict[str, Any] | None:
    if value is None:
        return None
    return {"type": value.type, "message": value.message, "file": value.file, "line": value.line}


def problem(value: Problem) -> dict[str, Any]:
    """Return a problem."""
    return {
        "file": value.file,
        "line": value.line,
        "column": value.column,
        "severity": value.severity,
        "code": value.code,
        "message": value.message,
        "hint": value.hint,
    }


def validation(value: Validation) -> dict[str, Any]:
    """Return what `validate` found."""
    return {"tasks": value.tasks, "problems": _all(problem, value.problems)}


def tick(value: TickReport) -> dict[str, Any]:
    """Return what a tick did."""
    return {
        "commit": value.commit,
        "followed": value.followed,
        "started": _all(run, value.started),
        "skipped": _all(run, value.skipped),
        "lost": _all(run, value.lost),
        "due": [],
        "clock": value.clock,
        "problems": _all(problem, value.problems),
    }


def dry_run(value: DryRun) -> dict[str, Any]:
    """Return what a tick would do. `tasks` says for every task whether it would run, and why."""
    due = [
        {"task": task.task, "scheduled_for": _iso(task.slot), "reason": task.reason, "missed": task.missed}
        for task in value.verdicts
        if task.would_run
    ]
    tasks = [{"task": task.task, "would_run": task.would_run, "reason": task.reason} for task in value.verdicts]
    return {
        "commit": value.commit,
        "started": [],
        "skipped": [],
        "lost": [],
        "due": due,
        "tasks": tasks,
        "problems": _all(problem, value.problems),
    }


def entry(value: Entry) -> dict[str, Any]:
    """Return one task of the list."""
    spec = value.schedule
    return {
        "task": value.id,
        "state": value.state,
        "description": None if spec is None else value.description,
        "owner": None if spec is None else value.owner,
        "tags": list(value.tags),
        "schedule": None if spec is None else spec.in_words(),
        "timezone": None if spec is None else spec.timezone,
        "next_due": _iso(value.next_due),
        "last_run": None if value.last_run is None else run(value.last_run),
    }


def upcoming_slot(value: UpcomingSlot) -> dict[str, Any]:
    """Return one future slot."""
    return {"task": value.task, "at": iso(value.at), "local": value.local.isoformat(timespec="seconds")}


def status(value: Status, edits: Edits, now: datetime) -> dict[str, Any]:
    """Return what `status` shows. `verdict` is its first line as text."""
    slot = value.next_slot
    return {
        "verdict": verdict(value, now),
        "overdue_since": _iso(value.overdue),
        "last_decision_at": _iso(value.last_decided),
        "commit": value.source.commit,
        "ref": value.source.ref,
        "branch": _branch(value.source.branch),
        "branch_before": None if value.moved is None else _branch(value.moved.before),
        "remote": None if value.following is None else _following(value.following),
        "tasks": {"active": value.active, "inactive": value.inactive, "invalid": len(value.invalid)},
        "invalid": list(value.invalid),
        "degraded": [
            {"task": item.task, "valid_commit": item.valid_commit, "invalid_commit": item.invalid_commit}
            for item in value.degraded
        ],
        "running": _all(run, value.running),
        "unanswered": [{"run_id": run_id, "reason": reason} for run_id, reason in value.unanswered],
        "clock": list(value.clock),
        "not_held": list(value.not_held),
        "building": list(value.building),
        "failing": _all(run, value.failing),
        "last_24_hours": value.counts.since,
        "next": None if slot is None else {"task": slot[0], "at": iso(slot[1]), "local": slot[2]},
        "uncommitted": list(edits.uncommitted),
        "never_committed": _all(problem, edits.never),
        "unread": [{"file": path, "reason": why} for path, why in value.unread],
        "problems": _all(problem, value.problems),
    }


def _branch(name: str | None) -> str | None:
    """Return the short name of a branch. Return None where HEAD is on no branch, or `git.ref` is not HEAD."""
    return None if not name else name.removeprefix("refs/heads/")


def _following(value: Following) -> dict[str, Any]:
    remote = value.remote
    return {
        "behind": value.behind,
        "fetched_at": _iso(remote.fetched_at),
        "failing_since": _iso(remote.failing_since),
        "failure": remote.failure,
        "stuck_since": _iso(remote.stuck_since),
        "stuck": remote.stuck,
    }


def _all(convert: Any, values: Iterable[Any]) -> list[Any]:
    return [convert(value) for value in values]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
