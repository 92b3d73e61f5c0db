"""What `runner.yaml` settles for a repository."""

from __future__ import annotations

from datetime import timedelta

from runner.model.limits import UNLIMITED, Limits
from runner.model.retry import ONCE, Retry
from runner.value import Value

#: The file below the root of the tasks' repository.
FILE = "runner.yaml"


#: What runs see of their commit, unless the settings say otherwise: data beside the tasks, and modules.
FILES = ("tasks", "lib")


class Settings(Value):
    """The settings in force; the values here are those of a repository without a `runner.yaml`."""

    timezone: str = "UTC"
    ref: str = "HEAD"
    fetch: timedelta | None = None
    require_signed: bool = False
    allowed_signers: str = ""
    max_parallel: int = 4
    shutdown_grace: timedelta = timedelta(seconds=30)
    secrets_file: str = ""
    files: tuple[str, ...] = FILES
    timeout: timedelta = timedelta(hours=1)
    kill_grace: timedelta = timedelta(seconds=10)
    owner: str = ""
    tags: tuple[str, ...] = ()
    retry: Retry = ONCE
    limits: Limits = UNLIMITED
