"""The namespace of a task's code: a real `__main__` module with a few names in scope."""

from __future__ import annotations

import builtins
import datetime  # noqa: ICN001 - tasks have the module in scope by this name
import linecache
import os
import sys

from runner import clock
from runner.execution.child.spawning import is_refused_start, spec_of, unpickled_job
from runner.model.job import Job
from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType
else:
    ModuleType = type(sys)  # without `types`


class TaskInfo(Value):
    """The object `task` in a task's code."""

    id: str
    run_id: int
    scheduled_for: datetime.datetime | None
    attempt: int
    _root: str
    _state: str

    @property
    def root(self) -> Path:
        """The read-only folder with the files of this run's commit."""
        from pathlib import Path  # noqa: PLC0415 - only for code that asks where its files are

        return Path(self._root)

    @property
    def state(self) -> Path:
        """The folder in which this task keeps files from run to run."""
        from pathlib import Path  # noqa: PLC0415 - as above

        return Path(self._state)


class WallClock:
    """The object `timezone` in a task's code: times in the task's time zone, with the names of Django's `timezone`."""

    utc = datetime.UTC

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def _zone(self) -> datetime.tzinfo:
        from runner.schedule.localtime import load_zone  # noqa: PLC0415 - only for code that asks what time it is

        return load_zone(self._name)

    def now(self) -> datetime.datetime:
        """Return the present time as an aware datetime in the task's time zone."""
        return clock.now().astimezone(self._zone)

    def localtime(self, value: datetime.datetime | None = None) -> datetime.datetime:
        """Return an aware datetime, by default the present time, in the task's time zone."""
        return self.now() if value is None else value.astimezone(self._zone)

    def localdate(self, value: datetime.datetime | None = None) -> datetime.date:
        """Return the date of an aware datetime, by default the present time, in the task's time zone."""
        return self.localtime(value).date()


def make_main(job: Job) -> ModuleType:
    """Return a new `__main__` in `sys.modules`, with the names that tasks have in scope (docs/task-file.md)."""
    main = ModuleType("__main__")
    _fill(main.__dict__, job)
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # other processes pickle objects of the task's classes by this name
        sys.modules["__mp_main__"] = main
    return main


def _fill(namespace: dict[str, object], job: Job) -> None:
    namespace.update(
        __builtins__=builtins,
        __spec__=spec_of(job),
        datetime=datetime,
        timedelta=datetime.timedelta,
        timezone=WallClock(job.timezone),
        __file__=f"{job.root}/{job.path}",
        task=TaskInfo(job.task, job.run_id, job.scheduled_for, job.attempt, job.root, os.environ["RUNNER_DATA"]),
    )
    if "logger" in job.code:
        # Only for code that logs: `logging` takes longer to load than most tasks take to run.
        namespace["logger"] = _logger(job.task)
    sys.argv = [job.path]


def run_again(namespace: dict[str, object]) -> None:
    """Run a task's code in a fresh interpreter of multiprocessing, up to where the code starts processes.

    For a script, to start processes here is an error, which `if __name__ == "__main__":` avoids. Here the error is
    ignored, because the process needs only the definitions that come before.
    """
    job = unpickled_job()
    name = namespace["__name__"]
    namespace.clear()
    namespace.update(__name__=name, __doc__=None, __package__=None, __loader__=None)
    _fill(namespace, job)
    try:
        exec(compile(numbered_source(job), job.path, "exec", dont_inherit=True), namespace)  # noqa: S102 - as `child` does
    except RuntimeError as error:
        if not is_refused_start(error):
            raise


def numbered_source(job: Job) -> str:
    """Return the code with the line numbers of its file; register these lines for tracebacks and warnings."""
    source = "\n" * (job.code_line - 1) + job.code
    linecache.cache[job.path] = (len(source), None, source.splitlines(keepends=True), job.path)
    return source


def _logger(task: str) -> object:
    import logging  # noqa: PLC0415 - only for code that logs

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    return logging.getLogger(task)
