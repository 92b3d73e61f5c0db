"""What an executor reports of the jobs that it was given."""

from __future__ import annotations

from datetime import datetime

from runner.model.ending import Ending
from runner.model.job import Job
from runner.model.value import Value


class Started(Value):
    """A child has been started."""

    __slots__ = ("at", "job")

    def __init__(self, job: Job, at: datetime) -> None:
        self.job = job
        self.at = at


class Ended(Value):
    """An attempt is over, and nothing of it is left running. One that never began has an ending without a start.

    `live_file` has its output until the ending is on record, where it took so long.
    """

    __slots__ = ("ending", "job", "live_file")

    def __init__(self, job: Job, ending: Ending, live_file: str | None = None) -> None:
        self.job = job
        self.ending = ending
        self.live_file = live_file


class Refused(Value):
    """An attempt was not begun, because that could not be noted, for the reason given."""

    __slots__ = ("job", "why")

    def __init__(self, job: Job, why: str) -> None:
        self.job = job
        self.why = why


TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    Event = Started | Ended | Refused
