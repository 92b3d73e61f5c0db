"""The settings of a repository: the values of `runner.yaml`."""

from __future__ import annotations

from datetime import timedelta

from runner.model.context import Context
from runner.model.limits import UNLIMITED, Limits
from runner.model.permissions import BEST_EFFORT, EVERYTHING, NOTHING, Permissions
from runner.model.retry import ONCE, Retry
from runner.value import Value

#: The path of the settings, relative to the root.
FILE = "runner.yaml"


#: The default of `files`: runs see the data beside the tasks, and the modules in lib/.
FILES = ("tasks", "lib")


class Settings(Value):
    """The settings in force. The defaults are those of a repository without `runner.yaml`.

    `context` is the name of the context of tasks that name none; empty where they have none. Every task has
    `permissions`, and none may ask for more than `most_permissions`. `run_as` is the user of tasks that name none.
    """

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
    contexts: tuple[Context, ...] = ()
    context: str = ""
    permissions: Permissions = NOTHING
    most_permissions: Permissions = EVERYTHING
    sandbox: str = BEST_EFFORT
    run_as: str = ""
    require_run_as: bool = False
