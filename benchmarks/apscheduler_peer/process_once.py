# mypy: ignore-errors
# APScheduler is not among the product's dependencies: this runs in the peers' own environment.
"""A scheduler that starts with its job store, processes what is due once, and shuts down: `process_once.py DATABASE`."""

import sys
from datetime import UTC

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler


class OnceScheduler(BaseScheduler):
    """Processes the jobs when it is woken, in the caller's thread; the resident ones wait for the next moment after that."""

    def wakeup(self) -> None:
        """Start what is due. `start()` wakes the scheduler when its stores are open."""
        self._process_jobs()

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - APScheduler's signature
        """Wait for the jobs that run, and close the stores."""
        super().shutdown(wait)


def main(database: str) -> None:
    """Do what one minute of a resident scheduler does, and its start."""
    scheduler = OnceScheduler(jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{database}")}, timezone=UTC)
    scheduler.start()
    scheduler.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
