"""Fetch from the remote that is followed, at the configured interval, while the due runs are under way.

Due runs never wait for a fetch. Fetched commits are in force from the next tick on.
"""

from __future__ import annotations

import fcntl
import os
from datetime import datetime

from runner import clock
from runner.errors import GitError
from runner.execution.system.background_process import BackgroundProcess
from runner.operations.workspace import Workspace
from runner.store.idle import look

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Fetching:
    """A context that fetches in a background process, if a fetch is due; leaving it waits for that process.

    Enter it after all slots are decided and before a pool exists: a pool would take that process for an orphan of a
    task.
    """

    def __init__(self, workspace: Workspace, now: datetime) -> None:
        self._workspace = workspace
        self._now = now
        self._fetch: BackgroundProcess | None = None

    def __enter__(self) -> Self:
        if is_fetch_due(self._workspace, self._now):
            self._fetch = BackgroundProcess(lambda: fetch_alone(self._workspace, self._now))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fetch is not None:
            self._fetch.wait()


def is_fetch_due(workspace: Workspace, now: datetime) -> bool:
    """Return whether a fetch from the remote is due in this minute."""
    next_work = look(workspace.database)
    return next_work is not None and next_work.is_fetch_due(clock.to_millis(now))


def fetch_alone(workspace: Workspace, now: datetime) -> None:
    """Fetch unless another process does, and record the result. Raises StoreError."""
    descriptor = os.open(f"{workspace.state}/fetch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # The kernel releases the lock however this process ends (flock(2)).
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _fetch(workspace, now)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _fetch(workspace: Workspace, now: datetime) -> None:
    from runner.repo.fetch import fetch  # noqa: PLC0415 - only in the background process
    from runner.store import catalogs, remote  # noqa: PLC0415
    from runner.store.database import deciding  # noqa: PLC0415

    if not is_fetch_due(workspace, now):
        return  # another tick has just fetched
    with deciding(workspace.database) as session:
        remote.note_try(session, now)
        ref_path = catalogs.source(session).ref_path
    failure = None
    try:
        fetch(workspace.root, ref_path)
    except GitError as error:
        failure = error.message
    with deciding(workspace.database) as session:
        if failure is None:
            remote.note_fetched(session, clock.now())
        else:
            remote.note_failure(session, now, failure)
