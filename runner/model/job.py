"""One attempt to be made: all that running it takes, and nothing of its schedule."""

from __future__ import annotations

from datetime import datetime, timedelta

from runner.model.limits import UNLIMITED, Limits
from runner.model.retry import ONCE, Retry
from runner.model.value import Value


class Job(Value):
    """A run in this process's hands, and the version of the task that it runs. `scheduled_for` is None for runs by hand."""

    __slots__ = (
        "attempt",
        "code",
        "code_line",
        "env",
        "kill_grace",
        "limits",
        "path",
        "retry",
        "run_id",
        "scheduled_for",
        "secrets",
        "task",
        "timeout",
        "timezone",
    )

    def __init__(
        self,
        *,
        run_id: int,
        task: str,
        path: str,
        code: str,
        code_line: int,
        timezone: str,
        timeout: timedelta,
        kill_grace: timedelta,
        scheduled_for: datetime | None = None,
        attempt: int = 1,
        retry: Retry = ONCE,
        limits: Limits = UNLIMITED,
        env: tuple[tuple[str, str], ...] = (),
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.run_id = run_id
        self.task = task
        self.path = path
        self.code = code
        self.code_line = code_line
        self.timezone = timezone
        self.timeout = timeout
        self.kill_grace = kill_grace
        self.scheduled_for = scheduled_for
        self.attempt = attempt
        self.retry = retry
        self.limits = limits
        self.env = env
        self.secrets = secrets

    def environment(self) -> dict[str, str]:
        """Return the task's own variables."""
        return dict(self.env)
