"""What a run prints: while it is under way from the file that its supervisor writes, afterwards from the store."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

from runner import clock
from runner.execution.live import ASIDE
from runner.execution.workshop import Workshop
from runner.model.words import RUNNING
from runner.operations import past
from runner.operations.site import Site
from runner.store import history
from runner.store.database import reading

_PAUSE = 0.1
_CHUNK = 65_536


def logs(site: Site, run_id: int, *, follow: bool) -> Iterator[bytes]:
    """Yield the output of each attempt of a run, in order; with `follow`, until the run has ended. Raises UsageError."""
    past.show(site, run_id)  # says where there is no such run
    seen = 0
    while True:
        progress = _progress(site, run_id)
        for number, status in progress.attempts[seen:]:
            if status != RUNNING:
                yield _output(site, run_id, number)
                seen = number
            elif (yield from _under_way(site, run_id, number, follow=follow)):
                seen = number
        if not follow or progress.status != RUNNING:
            return
        clock.pause(_PAUSE)


def _progress(site: Site, run_id: int) -> history.Progress:
    with reading(site.database) as session:
        return history.progress(session, run_id)


def _output(site: Site, run_id: int, number: int) -> bytes:
    with reading(site.database) as session:
        return history.output(session, run_id, number)


def _under_way(site: Site, run_id: int, number: int, *, follow: bool) -> Generator[bytes, None, bool]:
    """Yield what an attempt prints; return whether it was followed to its end. There is no file before it has lasted a while."""
    path = Workshop(site.root, site.state, "").live_file(run_id, number)
    aside, current = _open(path + ASIDE), _open(path)
    if aside is not None:
        yield from _rest(aside)
        os.close(aside)
    if current is None:
        return False
    while True:
        # Asked before the rest is read: what comes after the answer is not missed.
        is_over = not follow or not _is_running(site, run_id, number)
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


def _is_running(site: Site, run_id: int, number: int) -> bool:
    return (number, RUNNING) in _progress(site, run_id).attempts


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _rest(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, _CHUNK):
        yield data
