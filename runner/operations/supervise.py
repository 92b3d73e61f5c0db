"""Run claimed runs to their end, and record everything."""

from __future__ import annotations

import signal
from collections import deque

from runner import clock
from runner.errors import RunnerError, StoreError
from runner.execution.job import Job
from runner.execution.places import Places
from runner.execution.pool import Pool
from runner.execution.workshop import Workshop
from runner.operations.journal import Journal
from runner.operations.site import Site

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds for which the ends of runs are kept in memory while the disk is full or the database locked.
_PATIENCE = 60.0
_PAUSE = 1.0


def supervise(
    site: Site, store_id: str, max_parallel: int, jobs: deque[Job], show: Callable[[bytes], None] | None = None
) -> None:
    """Run the jobs and record what happens to them; `show` is given their output as it comes.

    Trouble with the database does not touch what runs: what could not be recorded is tried again, at the end for a minute.
    Raises StoreError; KeyboardInterrupt on Ctrl-C and RunnerError on TERM, once everything has ended and is on record.
    """
    journal = Journal(site.database)
    pool = Pool(Workshop(site.root, site.state, store_id), Places(f"{site.state}/places", max_parallel), show)
    for event in pool.run(jobs):
        try:
            journal.note(event)
        except StoreError:
            continue  # noted all the same
    _flush(journal)
    if pool.stopped_by == signal.SIGINT:
        raise KeyboardInterrupt
    if pool.stopped_by is not None:
        raise RunnerError("runner was asked to end: its runs are cancelled", "see `runner history`")


def _flush(journal: Journal) -> None:
    give_up = clock.monotonic() + _PATIENCE
    while True:
        try:
            journal.flush()
        except StoreError:
            if clock.monotonic() > give_up:
                raise
            clock.pause(_PAUSE)
        else:
            return
