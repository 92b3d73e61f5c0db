"""Following a remote: ask it now and then, beside what is due and never before it. What came is in force from the next tick on."""

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
    """While it is open, the remote is asked in a process of its own, if it is time to; closing it waits for the answer.

    Open it once all is decided and before there is a pool, which would take that process for one that a task has left behind.
    """

    def __init__(self, workspace: Workspace, now: datetime) -> None:
        self._site = workspace
        self._now = now
        self._aside: BackgroundProcess | None = None

    def __enter__(self) -> Self:
        if is_fetch_due(self._site, self._now):
            self._aside = BackgroundProcess(lambda: fetch_alone(self._site, self._now))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._aside is not None:
            self._aside.wait()


def is_fetch_due(workspace: Workspace, now: datetime) -> bool:
    """Return whether the remote that is followed is to be asked in this minute."""
    outlook = look(workspace.database)
    return outlook is not None and outlook.is_fetch_due(clock.to_millis(now))


def fetch_alone(workspace: Workspace, now: datetime) -> None:
    """Ask the remote unless somebody else does, and note what came of it. Raises StoreError."""
    descriptor = os.open(f"{workspace.state}/fetch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        # The kernel gives it back however this process ends (flock(2)).
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _fetch(workspace, now)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


def _fetch(workspace: Workspace, now: datetime) -> None:
    from runner.repo.fetch import fetch  # noqa: PLC0415 - only in a process of its own
    from runner.store import catalogs, remote  # noqa: PLC0415
    from runner.store.database import deciding  # noqa: PLC0415

    if not is_fetch_due(workspace, now):
        return  # another tick has just done it
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
