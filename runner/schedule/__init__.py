"""WHEN: the pure arithmetic of schedules. No clock, no I/O.

`parse_schedule(fields)` reads the keys of a task file; the `Schedule` that it returns answers two questions:
`after(instant)` and `latest(after, until)`. All instants are aware datetimes; answers are in UTC.
"""

from runner.schedule.parse import parse_schedule
from runner.schedule.schedule import Schedule

__all__ = ["Schedule", "parse_schedule"]
