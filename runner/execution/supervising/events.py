"""What an executor reports of the jobs that it was given."""

from __future__ import annotations

from datetime import datetime

from runner.model.attempt_result import AttemptResult
from runner.model.job import Job
from runner.value import Value


class Started(Value):
    """A child has been started."""

    job: Job
    at: datetime


class Ended(Value):
    """An attempt is over, and nothing of it is left running. One that never began has an ending without a start.

    `live_file` has its output until the ending is on record, where it took so long.
    """

    job: Job
    ending: AttemptResult
    live_file: str | None = None


class Refused(Value):
    """An attempt was not begun, because that could not be noted, for the reason given."""

    job: Job
    why: str


class Printed(Value):
    """A piece of what a child prints, masked; only where somebody looks on."""

    job: Job
    data: bytes


TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    Event = Started | Ended | Refused | Printed
