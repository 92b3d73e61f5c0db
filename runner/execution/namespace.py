"""What a task's code sees: a real `__main__` module with a few names in scope."""

from __future__ import annotations

import builtins
import datetime  # noqa: ICN001 - by this name tasks find it in scope
import linecache
import sys
from dataclasses import dataclass
from types import ModuleType

from runner import clock
from runner.execution.job import Job
from runner.model.task import Task


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """`task` in a task's code."""

    id: str
    run_id: int
    scheduled_for: datetime.datetime | None
    attempt: int


class WallClock:
    """`timezone` in a task's code: the clock on the wall of the task's time zone, with the names that Django uses."""

    utc = datetime.UTC

    def __init__(self, zone: datetime.tzinfo) -> None:
        self._zone = zone

    def now(self) -> datetime.datetime:
        """Return the present, aware, in the task's time zone."""
        return clock.now().astimezone(self._zone)

    def localtime(self, value: datetime.datetime | None = None) -> datetime.datetime:
        """Return an aware datetime, by default the present, in the task's time zone."""
        return self.now() if value is None else value.astimezone(self._zone)

    def localdate(self, value: datetime.datetime | None = None) -> datetime.date:
        """Return the date of an aware datetime, by default today's, in the task's time zone."""
        return self.localtime(value).date()


def make_main(job: Job) -> ModuleType:
    """Return a module `__main__`, registered in `sys.modules`, with the names of DESIGN §6 in it.

    It has no `__file__`: multiprocessing would have a fresh interpreter run that file, and there is none.
    """
    task = job.task
    main = ModuleType("__main__")
    main.__dict__.update(
        __builtins__=builtins,
        datetime=datetime,
        timedelta=datetime.timedelta,
        timezone=WallClock(task.schedule.zone()),
        task=TaskInfo(task.id, job.run_id, job.scheduled_for, job.attempt),
    )
    if "logger" in task.code:
        # `logging` takes longer to load than most tasks take to run.
        main.__dict__["logger"] = _logger(task)
    sys.modules["__main__"] = main
    sys.argv = [task.path]
    return main


def numbered_source(task: Task) -> str:
    """Return the code on the lines on which it stands in its file, and make tracebacks and warnings show those lines."""
    source = "\n" * (task.code_line - 1) + task.code
    linecache.cache[task.path] = (len(source), None, source.splitlines(keepends=True), task.path)
    return source


def _logger(task: Task) -> object:
    import logging  # noqa: PLC0415 - only for code that logs

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    return logging.getLogger(task.id)
