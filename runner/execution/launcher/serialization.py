"""Conversion of jobs and results to plain values and back, for the pipes between the decider and the launcher."""

from __future__ import annotations

from datetime import timedelta

from runner.clock import from_micros, to_micros
from runner.model.attempt_result import AttemptResult, RunError
from runner.model.job import Job
from runner.model.limits import Limits
from runner.model.permissions import Permissions
from runner.model.retry import Retry
from runner.value import as_dict

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from typing import Any

    Packed = dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)


def pack_job(job: Job) -> Packed:
    """Return a job as values that `marshal` can write."""
    values = as_dict(job)
    values["limits"] = as_dict(job.limits) | {"cpu": None if job.limits.cpu is None else job.limits.cpu // _MICROSECOND}
    values["retry"] = as_dict(job.retry) | {
        "delay": job.retry.delay // _MICROSECOND,
        "max_delay": job.retry.max_delay // _MICROSECOND,
    }
    values["permissions"] = as_dict(job.permissions)
    values["timeout"] = job.timeout // _MICROSECOND
    values["kill_grace"] = job.kill_grace // _MICROSECOND
    values["scheduled_for"] = None if job.scheduled_for is None else to_micros(job.scheduled_for)
    return values


def unpack_job(values: Packed) -> Job:
    """Return the job from the values that `pack_job` has returned."""
    limits, retry = values["limits"], values["retry"]
    cpu, scheduled_for = limits["cpu"], values["scheduled_for"]
    return Job(
        **values
        | {
            "limits": Limits(**limits | {"cpu": None if cpu is None else cpu * _MICROSECOND}),
            "retry": Retry(
                **retry | {"delay": retry["delay"] * _MICROSECOND, "max_delay": retry["max_delay"] * _MICROSECOND}
            ),
            "permissions": Permissions(**values["permissions"]),
            "timeout": values["timeout"] * _MICROSECOND,
            "kill_grace": values["kill_grace"] * _MICROSECOND,
            "scheduled_for": None if scheduled_for is None else from_micros(scheduled_for),
        }
    )


def pack_result(result: AttemptResult) -> Packed:
    """Return a result as values that `marshal` can write."""
    return as_dict(result) | {
        "error": None if result.error is None else as_dict(result.error),
        "context": None,  # the process that records adds it
        "started_at": None if result.started_at is None else to_micros(result.started_at),
        "finished_at": to_micros(result.finished_at),
    }


def unpack_result(values: Packed) -> AttemptResult:
    """Return the result from the values that `pack_result` has returned."""
    started_at, error = values["started_at"], values["error"]
    return AttemptResult(
        **values
        | {
            "error": None if error is None else RunError(**error),
            "started_at": None if started_at is None else from_micros(started_at),
            "finished_at": from_micros(values["finished_at"]),
        }
    )
