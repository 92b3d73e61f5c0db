"""The time zone of a task as the local time of its process."""

from __future__ import annotations

import os
import time

from runner.zone_paths import zone_paths

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from runner.model.job import Job


def use_zone(job: Job) -> None:
    """Make the time zone of a task the local time of this process, as naive `datetime.now()` tells it.

    Django sets its own TIME_ZONE at set-up. A task that sets TZ in its `env` keeps that. Where the system has no zone
    files, the C library reads the one of the package tzdata, by its path (tzset(3)).
    """
    if "TZ" in job.environment():
        zone = job.environment()["TZ"]
    else:
        [path] = zone_paths([job.timezone]) or [""]
        zone = job.timezone if not path or os.path.exists(f"/usr/share/zoneinfo/{job.timezone}") else f":{path}"
    os.environ["TZ"] = zone
    time.tzset()
