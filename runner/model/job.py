"""One attempt to be made: all that running it takes, and nothing of its schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.model.limits import UNLIMITED, Limits
from runner.model.retry import ONCE, Retry
from runner.value import Value


class Job(Value):
    """A run in this process's hands, and the version of the task that it runs.

    `scheduled_for` is None for runs by hand.

    `commit` is the commit of the run and `blob` the id of its task file; `root` is the folder with the files of that
    commit, and `data` the name of the one in which the task keeps what lasts from run to run.
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

    def environment(self) -> dict[str, str]:
        """Return the task's own variables."""
        return dict(self.env)
