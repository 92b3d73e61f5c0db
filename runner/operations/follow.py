"""What a run prints: while it is under way from the file that its supervisor writes, afterwards from the store."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

from runner import clock
from runner.errors import UsageError
from runner.execution.live import ASIDE
from runner.execution.workshop import Workshop
from runner.model.words import RUNNING
from runner.operations import past
from runner.operations.find import known_task
from runner.operations.site import Site
from runner.store import history
from runner.store.database import reading

_PAUSE = 0.1
_CHUNK = 65_536
_DIGITS = 19  # of the largest number that a run can have


def run_named(site: Site, name: str) -> int:
    """Return the run of that number, or the last one of the task of that id. Raises UsageError where there is none."""
    if name.isascii() and name.isdigit() and len(name) < _DIGITS:
        return int(name)
    with reading(site.database) as connection:
        known_task(connection, name)
        run = history.last_runs(connection).get(name)
    if run is None:
        raise UsageError(f"the task {name} has not run yet", f"`runner next {name}` says when it will")
    return run.run_id


def logs(site: Site, run_id: int, *, follow: bool) -> Iterator[bytes]:
    """Yield the output of each attempt of a run, in order; with `follow`, until the run has ended. Raises UsageError."""
    seen = 0
    while True:
        details = past.show(site, run_id)
        for attempt in details.attempts[seen:]:
            if attempt.status != RUNNING:
                yield attempt.output
                seen = attempt.number
            elif (yield from _under_way(site, run_id, attempt.number, follow=follow)):
                seen = attempt.number
        if not follow or details.run.status != RUNNING:
            return
        clock.pause(_PAUSE)


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
    attempts = past.show(site, run_id).attempts
    return len(attempts) >= number and attempts[number - 1].status == RUNNING


def _open(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _rest(descriptor: int) -> Iterator[bytes]:
    while data := os.read(descriptor, _CHUNK):
        yield data
