"""The applications of contexts: where they are, and what identifies the deployed one."""

from __future__ import annotations

import os

from runner.execution.hosting.host import HostedContext, Hosting
from runner.execution.hosting.hosts import Hosts
from runner.execution.hosting.packages import environment_of
from runner.model.context import Context
from runner.model.job import Job
from runner.operations.workspace import Workspace
from runner.repo.head import commit_at
from runner.store.queue import RunSettings
from runner.value import replace

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.execution.launcher.client import LauncherClient


def hosts_for(
    workspace: Workspace, run_settings: RunSettings, hosting: Hosting, inner: LauncherClient | None = None
) -> Hosts:
    """Return an executor for jobs with the contexts of these settings; `inner` starts all other jobs."""

    def find(job: Job) -> HostedContext | None:
        if job.dependencies:
            return environment_of(hosting.environment.state, job.context, job.dependencies)
        context = run_settings.context(job.context)
        return None if context is None else hosted(workspace.root, context)

    return Hosts(hosting, find, inner)


def hosted(root: str, context: Context) -> HostedContext:
    """Return a context with absolute paths, and what identifies its application now."""
    located = replace(
        context,
        path=_absolute(root, context.path),
        python=_absolute(root, context.python),
        env_file=_absolute(root, context.env_file),
        digest=_absolute(root, context.digest),
    )
    return HostedContext(located, _identity(located))


def _absolute(root: str, path: str) -> str:
    """Return the absolute path of a path in `runner.yaml`. The link of a virtual environment's Python is kept."""
    return os.path.abspath(os.path.join(root, os.path.expanduser(path))) if path else ""


def _identity(context: Context) -> str:
    """Return the git commit of an application, or the digest of the file that `digest` names; "" for neither."""
    if not context.digest:
        return commit_at(context.path, "HEAD") or ""
    from hashlib import sha256  # noqa: PLC0415 - only with `digest`

    try:
        with open(context.digest, "rb") as file:
            return f"sha256:{sha256(file.read()).hexdigest()}"
    except OSError:
        return ""
