"""Jobs and endings as plain values, for the pipe between the process that decides and the one that forks."""

from __future__ import annotations

from datetime import timedelta

from runner.clock import from_micros, to_micros
from runner.model.attempt_result import AttemptResult, RunError
from runner.model.job import Job
from runner.model.limits import Limits
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
    """Return a job as values that marshal takes."""
    values = as_dict(job)
    values["limits"] = as_dict(job.limits) | {"cpu": None if job.limits.cpu is None else job.limits.cpu // _MICROSECOND}
    values["retry"] = as_dict(job.retry) | {
        "delay": job.retry.delay // _MICROSECOND,
        "max_delay": job.retry.max_delay // _MICROSECOND,
    }
    values["timeout"] = job.timeout // _MICROSECOND
    values["kill_grace"] = job.kill_grace // _MICROSECOND
    values["scheduled_for"] = None if job.scheduled_for is None else to_micros(job.scheduled_for)
    return values


def unpack_job(values: Packed) -> Job:
    """Return the job that `pack_job` has packed."""
    limits, retry = values["limits"], values["retry"]
    cpu, scheduled_for = limits["cpu"], values["scheduled_for"]
    return Job(
        **values
        | {
            "limits": Limits(**limits | {"cpu": None if cpu is None else cpu * _MICROSECOND}),
            "retry": Retry(
                **retry | {"delay": retry["delay"] * _MICROSECOND, "max_delay": retry["max_delay"] * _MICROSECOND}
            ),
            "timeout": values["timeout"] * _MICROSECOND,
            "kill_grace": values["kill_grace"] * _MICROSECOND,
            "scheduled_for": None if scheduled_for is None else from_micros(scheduled_for),
        }
    )


def pack_ending(ending: AttemptResult) -> Packed:
    """Return an ending as values that marshal takes."""
    return as_dict(ending) | {
        "error": None if ending.error is None else as_dict(ending.error),
        "started_at": None if ending.started_at is None else to_micros(ending.started_at),
        "finished_at": to_micros(ending.finished_at),
    }


def unpack_ending(values: Packed) -> AttemptResult:
    """Return the ending that `pack_ending` has packed."""
    started_at, error = values["started_at"], values["error"]
    return AttemptResult(
        **values
        | {
            "error": None if error is None else RunError(**error),
            "started_at": None if started_at is None else from_micros(started_at),
            "finished_at": from_micros(values["finished_at"]),
        }
    )
