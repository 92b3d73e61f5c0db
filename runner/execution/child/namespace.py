"""What a task's code sees: a real `__main__` module with a few names in scope."""

from __future__ import annotations

import builtins
import datetime  # noqa: ICN001 - by this name tasks find it in scope
import linecache
import os
import sys

from runner import clock
from runner.execution.child.spawning import arrived, has_met_a_start, spec_of
from runner.model.job import Job
from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType
else:
    ModuleType = type(sys)  # without `types`


class TaskInfo(Value):
    """`task` in a task's code. `root` and `state` are folders: the files of its commit, and what it keeps from run to run."""

    id: str
    run_id: int
    scheduled_for: datetime.datetime | None
    attempt: int
    _root: str
    _state: str

    @property
    def root(self) -> Path:
        """The folder with the files of the commit of this run, which nobody changes."""
        from pathlib import Path  # noqa: PLC0415 - only for code that asks where its files are

        return Path(self._root)

    @property
    def state(self) -> Path:
        """The folder in which this task keeps what lasts from run to run."""
        from pathlib import Path  # noqa: PLC0415 - as above

        return Path(self._state)


class WallClock:
    """`timezone` in a task's code: the clock on the wall of the task's time zone, with the names that Django uses."""

    utc = datetime.UTC

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def _zone(self) -> datetime.tzinfo:
        from runner.schedule.localtime import load_zone  # noqa: PLC0415 - only for code that asks what time it is

        return load_zone(self._name)

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
    """Return a module `__main__`, registered in `sys.modules`, with the names that tasks have in scope (docs/task-file.md)."""
    main = ModuleType("__main__")
    _fill(main.__dict__, job)
    sys.modules["__main__"] = main
    if "__mp_main__" in sys.modules:  # by this name other processes send objects of its classes back
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
        # `logging` takes longer to load than most tasks take to run.
        namespace["logger"] = _logger(job.task)
    sys.argv = [job.path]


def run_again(namespace: dict[str, object]) -> None:
    """Run the code in a process that multiprocessing has started afresh, up to where the code starts processes itself.

    For a script, that is an error, which `if __name__ == "__main__":` avoids; what stands before is all that the process needs.
    """
    job = arrived()
    name = namespace["__name__"]
    namespace.clear()
    namespace.update(__name__=name, __doc__=None, __package__=None, __loader__=None)
    _fill(namespace, job)
    try:
        exec(compile(numbered_source(job), job.path, "exec", dont_inherit=True), namespace)  # noqa: S102 - as `child` does
    except RuntimeError as error:
        if not has_met_a_start(error):
            raise


def numbered_source(job: Job) -> str:
    """Return the code on the lines on which it stands in its file, and make tracebacks and warnings show those lines."""
    source = "\n" * (job.code_line - 1) + job.code
    linecache.cache[job.path] = (len(source), None, source.splitlines(keepends=True), job.path)
    return source


def _logger(task: str) -> object:
    import logging  # noqa: PLC0415 - only for code that logs

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    return logging.getLogger(task)
