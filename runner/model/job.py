"""A job: all that is needed to make one attempt of a run, without the schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.model.limits import UNLIMITED, Limits
from runner.model.permissions import EVERYTHING, Permissions
from runner.model.retry import ONCE, Retry
from runner.value import Value


class Job(Value):
    """A run that this process executes, and the version of the task that it runs.

    `scheduled_for` is None for manual runs. `commit` is the commit of the run and `blob` the id of its task file.
    `root` is the folder with the files of that commit. `data` is the name of the folder that the task keeps from run
    to run. `context` is the name of its context, empty where it has none. `run_as` is the user that runs it, empty for
    that of the tick. `dependencies` are the packages that its code names: their environment is its context.

    `filter` is the seccomp filter for its permissions; empty where it is not held, or this machine has no filters. A
    job that `learns` is not held, but observed: `calls` has the numbers and the names of the system calls that its
    filter tells of.
    """

    run_id: int
    task: str
    path: str
    code: str
    code_line: int
    timezone: str
    timeout: timedelta
    kill_grace: timedelta
    scheduled_for: datetime | None = None
    attempt: int = 1
    retry: Retry = ONCE
    limits: Limits = UNLIMITED
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    commit: str = ""
    blob: str = ""
    root: str = ""
    data: str = ""
    context: str = ""
    rollback: bool = False
    permissions: Permissions = EVERYTHING
    filter: bytes = b""
    run_as: str = ""
    dependencies: tuple[str, ...] = ()
    learns: bool = False
    calls: tuple[tuple[int, str], ...] = ()

    def environment(self) -> dict[str, str]:
        """Return the variables of `env` in the task file."""
        return dict(self.env)
