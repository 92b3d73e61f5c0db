# mypy: ignore-errors
# APScheduler is not among the product's dependencies: this runs in the peers' own environment.
"""The preparation, not measured: `fill.py DATABASE JOBS DUE` puts jobs into a store, of which the first so many are due."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from process_once import OnceScheduler
from sqlalchemy import Engine, create_engine, event


def main(database: str, jobs: int, due: int) -> None:
    """Fill the store through the scheduler's own interface."""
    scheduler = OnceScheduler(jobstores={"default": SQLAlchemyJobStore(engine=_hasty(database))}, timezone=UTC)
    scheduler.start(paused=True)
    now = datetime.now(UTC)
    for number in range(jobs):
        scheduler.add_job(
            "jobs:assign",
            "interval",
            hours=number % 7 + 2,
            id=f"group-{number % 20}/task-{number}",
            next_run_time=now + (timedelta(minutes=-1) if number < due else timedelta(days=30)),
            # Otherwise a job that is more than a second late is dropped, and nothing would be measured.
            misfire_grace_time=None,
            coalesce=True,
        )
    scheduler.shutdown()


def _hasty(database: str) -> Engine:
    """Return an engine that does not wait for the disk: each job is a transaction, and there are thousands."""
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def hurry(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    return engine


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
