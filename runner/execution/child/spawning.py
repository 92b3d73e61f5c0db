"""The `__main__` of a task in a process that multiprocessing starts with a fresh interpreter (`spawn`, `forkserver`).

For a script, such a process runs the file again, as `__mp_main__`. A task has no Python file. Instead, the name of its
module is a text that is pickled together with the job; this costs nothing until multiprocessing pickles it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.model.job import Job

#: The module that a fresh interpreter runs as its `__main__` (multiprocessing.spawn, runpy.run_module).
_AGAIN = "runner.execution.child.spawned"
_REFUSING = ("multiprocessing.spawn", "multiprocessing.context")
_ModuleSpec = type(sys.__spec__)
_job: list[Job] = []


class _Name(str):
    """The name of a task's `__main__`. In a fresh interpreter it is unpickled as `_AGAIN`, and brings the job."""

    __slots__ = ("job",)
    job: Job

    def __reduce__(self) -> tuple[object, tuple[Job]]:
        return _unpickle, (self.job,)


def _unpickle(job: Job) -> str:
    _job[:] = [job]
    return _AGAIN


def unpickled_job() -> Job:
    """Return the job that was unpickled together with the name."""
    return _job[0]


def spec_of(job: Job) -> object:
    """Return the `__spec__` of a task's `__main__`, from which multiprocessing takes the name of the module to run."""
    name = _Name("__main__")
    name.job = job
    return _ModuleSpec(name, None)


def is_refused_start(error: RuntimeError) -> bool:
    """Return whether multiprocessing has raised this error.

    It refuses to start a process, or to set the start method, while the process itself is still being started.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") in _REFUSING
