"""`__main__` once more, in a process that multiprocessing starts with a fresh interpreter (`spawn`, `forkserver`).

For a script, such a process runs the file again, as `__mp_main__`. A task has no file of its own: the name of its module
takes the job along when it is pickled for the fresh interpreter, and costs nothing before.
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
    """The name of a task's `__main__`, which is that of `_AGAIN` in a fresh interpreter."""

    __slots__ = ("job",)
    job: Job

    def __reduce__(self) -> tuple[object, tuple[Job]]:
        return _arrive, (self.job,)


def _arrive(job: Job) -> str:
    _job[:] = [job]
    return _AGAIN


def arrived() -> Job:
    """Return the job that has come along with the name."""
    return _job[0]


def spec_of(job: Job) -> object:
    """Return the `__spec__` of a task's `__main__`: whatever starts a fresh interpreter asks it for the name of the module."""
    name = _Name("__main__")
    name.job = job
    return _ModuleSpec(name, None)


def has_met_a_start(error: RuntimeError) -> bool:
    """Return whether multiprocessing has refused to start a process, or to choose how: this one is only about to begin."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") in _REFUSING
