# mypy: ignore-errors
# APScheduler is not a dependency of runner: this runs in the environment of the peers.
"""A scheduler that starts with its job store, processes due jobs once, and shuts down: `process_once.py DATABASE`."""

import sys
from datetime import UTC

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.base import BaseScheduler


class OnceScheduler(BaseScheduler):
    """Processes due jobs once, in the caller's thread; resident schedulers then wait for the next due time."""

    def wakeup(self) -> None:
        """Start due jobs. `start()` calls this when the stores are open."""
        self._process_jobs()

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - APScheduler's signature
        """Wait for running jobs, and close the stores."""
        super().shutdown(wait)


def main(database: str) -> None:
    """Start the scheduler and do the work of one minute."""
    scheduler = OnceScheduler(jobstores={"default": SQLAlchemyJobStore(url=f"sqlite:///{database}")}, timezone=UTC)
    scheduler.start()
    scheduler.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
