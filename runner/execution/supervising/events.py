"""The events that an executor reports about its jobs."""

from __future__ import annotations

from datetime import datetime

from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.value import Value


class Started(Value):
    """A child process has started."""

    job: Job
    at: datetime


class Ended(Value):
    """An attempt has ended, and none of its processes is left. If it never began, `result` has no `started_at`.

    `live_file` is the file that has its output, to be removed once the end is on record; None for a short attempt.
    """

    job: Job
    result: AttemptResult
    live_file: str | None = None


class Refused(Value):
    """An attempt was not begun, for the reason `why`: for example, the disk with the owner file is full."""

    job: Job
    why: str


class Printed(Value):
    """A piece of a child's output, with secrets masked. Only an executor made with `tells_output` reports it."""

    job: Job
    data: bytes


TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    Event = Started | Ended | Refused | Printed
