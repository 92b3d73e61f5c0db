"""The output of a run.

It comes from the file that the supervisor writes while an attempt is under way, and from the store afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

from runner import clock
from runner.execution.supervising.live_output import ASIDE
from runner.execution.supervising.run_environment import RunEnvironment
from runner.model.statuses import RUNNING
from runner.operations.asking import run_history
from runner.operations.workspace import Workspace
from runner.store import history
from runner.store.database import reading

_PAUSE = 0.1
_CHUNK = 65_536


def logs(workspace: Workspace, run_id: int, *, follow: bool) -> Iterator[bytes]:
    """Yield the output of each attempt of a run; with `follow`, until the run has ended. Raises UsageError."""
    run_history.show(workspace, run_id)  # raises UsageError where there is no such run
    done = 0
    while True:
        progress = _progress(workspace, run_id)
        for number, status in progress.attempts[done:]:
            if status != RUNNING:
                yield _output(workspace, run_id, number)
                done = number
            elif (yield from _under_way(workspace, run_id, number, follow=follow)):
                done = number
        if not follow or progress.status != RUNNING:
            return
        clock.pause(_PAUSE)


def _progress(workspace: Workspace, run_id: int) -> history.Progress:
    with reading(workspace.database) as session:
        return history.progress(session, run_id)


def _output(workspace: Workspace, run_id: int, number: int) -> bytes:
    with reading(workspace.database) as session:
        return history.output(session, run_id, number)


def _under_way(workspace: Workspace, run_id: int, number: int, *, follow: bool) -> Generator[bytes, None, bool]:
    """Yield the output of an attempt that is under way; return whether it was followed to its end.

    There is no file yet where the attempt has only just begun.
    """
    path = RunEnvironment(workspace.root, workspace.state, "").live_file(run_id, number)
    older, current = _open(path + ASIDE), _open(path)
    if older is not None:
        yield from _rest(older)
        os.close(older)
    if current is None:
        return False
    while True:
        # Checked before the rest is read: output between the check and the read is not missed.
        is_over = not follow or not _is_running(workspace, run_id, number)
        yield from _rest(current)
        if is_over:
            os.close(current)
            return follow
        newer = _open(path)
        if newer is not None and os.fstat(newer).st_ino != os.fstat(current).st_ino:
            yield from _rest(current)
            os.close(current)
            current = newer
        elif newer is not None:
            os.close(newer)
        clock.pause(_PAUSE)


def _is_running(workspace: Workspace, run_id: int, number: int) -> bool:
    return (number, RUNNING) in _progress(workspace, run_id).attempts


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _rest(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, _CHUNK):
        yield data
