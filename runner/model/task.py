"""A task: what one task file declares."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from zlib import crc32

from runner.model.limits import UNLIMITED, Limits
from runner.model.permissions import EVERYTHING, Permissions
from runner.model.retry import ONCE, Retry
from runner.model.statuses import FORBID, LATEST
from runner.schedule import Schedule, parse_schedule
from runner.schedule.earlier import earlier_anchor, earlier_start
from runner.schedule.localtime import load_zone
from runner.schedule.wildcard import is_wildcard
from runner.value import Value, replace

#: The folder of task files below the root, and their suffix.
FOLDER = "tasks"
SUFFIX = ".yaml"

_MINUTE = timedelta(minutes=1)


class ScheduleSpec(Value):
    """The schedule as the file has it. Equal specs have the same slots. One of frequency, cron and rrule is set."""

    timezone: str
    frequency: int | None = None
    unit: str | None = None
    cron: str | None = None
    rrule: str | None = None
    start: str | None = None
    end: str | None = None

    def schedule(self, anchor: datetime | None) -> Schedule:
        """Return the schedule; `anchor` is used where there is no `start`. Raises ScheduleError."""
        return parse_schedule(
            {
                "timezone": self.timezone,
                "frequency": self.frequency,
                "unit": self.unit,
                "cron": self.cron,
                "rrule": self.rrule,
                "start": self.start,
                "end": self.end,
                "anchor": anchor,
            }
        )

    def schedule_around(self, anchor: datetime | None, instant: datetime) -> Schedule:
        """Return the schedule with its grid continued to before the anchor, where `instant` is before the anchor."""
        if anchor is None or self.start is not None or instant >= anchor - _MINUTE:
            return self.schedule(anchor)
        if self.frequency is not None:
            return self.schedule(earlier_anchor(self.frequency, str(self.unit), anchor, instant, self.zone()))
        return self.schedule(anchor if self.rrule is None else earlier_start(self.rrule, anchor, instant, self.zone()))

    def follows_wall_clock(self) -> bool:
        """Return whether its slots are wall times, and not multiples of elapsed time."""
        if self.cron is not None:
            return not is_wildcard(self.cron)
        return self.unit not in {"minutes", "hours"}

    def zone(self) -> tzinfo:
        """Return the time zone of the schedule."""
        return load_zone(self.timezone)

    def same_grid(self, other: ScheduleSpec) -> bool:
        """Return whether both have the same grid from the same anchor. Only then an edit keeps the anchor."""
        return replace(self, end=None, timezone="") == replace(other, end=None, timezone="")

    def in_words(self) -> str:
        """Return the schedule in words: `every 15 minutes`, `every day from 2026-01-01 07:00`, `cron 0 8 * * 1-5`."""
        if self.frequency is not None:
            unit = str(self.unit)
            every = f"every {unit[:-1]}" if self.frequency == 1 else f"every {self.frequency} {unit}"
            return every if self.start is None else f"{every} from {self.start}"
        return f"cron {self.cron}" if self.cron is not None else f"rrule {self.rrule}"


class Policy(Value):
    """What is done about late slots, and about slots during another run of the task."""

    concurrency_policy: str = FORBID
    catchup: str = LATEST
    starting_deadline: timedelta | None = None
    jitter: timedelta = timedelta(0)

    def offset(self, task_id: str) -> timedelta:
        """Return how much later than its slots a task starts: whole seconds below `jitter`, the same on every host."""
        seconds = int(self.jitter.total_seconds())
        return timedelta(seconds=crc32(task_id.encode()) % seconds) if seconds else timedelta(0)


class Task(Value):
    """A valid task. `code_line` is the line of the file with the first line of `code`, from 1.

    `context` is the name of its context, empty where it has none.
    """

    id: str
    schedule: ScheduleSpec
    active: bool
    code: str
    code_line: int
    timeout: timedelta
    kill_grace: timedelta
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    policy: Policy = Policy()
    retry: Retry = ONCE
    limits: Limits = UNLIMITED
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    context: str = ""
    rollback: bool = False
    permissions: Permissions = EVERYTHING
    run_as: str = ""
    dependencies: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path of the task file relative to the root: `tasks/billing/report.yaml`."""
        return path_of(self.id)


def path_of(task_id: str) -> str:
    """Return the path of the file of a task, relative to the root."""
    return f"{FOLDER}/{task_id}{SUFFIX}"


def id_of(path: str) -> str:
    """Return the id of the task in the file `tasks/….yaml`."""
    return path.removeprefix(f"{FOLDER}/").removesuffix(SUFFIX)
