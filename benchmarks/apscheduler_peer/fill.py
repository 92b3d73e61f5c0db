# mypy: ignore-errors
# APScheduler is not a dependency of runner: this runs in the environment of the peers.
"""The preparation, not measured: `fill.py DATABASE JOBS DUE` adds jobs to a store; the first DUE of them are due."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from process_once import OnceScheduler
from sqlalchemy import Engine, create_engine, event


def main(database: str, jobs: int, due: int) -> None:
    """Add the jobs through the scheduler's interface."""
    scheduler = OnceScheduler(
        jobstores={"default": SQLAlchemyJobStore(engine=_engine_without_sync(database))}, timezone=UTC
    )
    scheduler.start(paused=True)
    now = datetime.now(UTC)
    for number in range(jobs):
        scheduler.add_job(
            "jobs:assign",
            "interval",
            hours=number % 7 + 2,
            id=f"group-{number % 20}/task-{number}",
            next_run_time=now + (timedelta(minutes=-1) if number < due else timedelta(days=30)),
            # Otherwise the scheduler drops jobs that are more than a second late, and nothing would be measured.
            misfire_grace_time=None,
            coalesce=True,
        )
    scheduler.shutdown()


def _engine_without_sync(database: str) -> Engine:
    """Return an engine that does not wait for the disk: each of thousands of jobs is a transaction."""
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def disable_sync(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    return engine


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
