"""WHEN: the pure arithmetic of schedules. No clock, no I/O.

`parse_schedule(fields)` reads the keys of a task file; the `Schedule` that it returns answers two questions:
`after(instant)` and `latest(after, until)`. All instants are aware datetimes; answers are in UTC.
"""

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.schedule.parse import parse_schedule
    from runner.schedule.schedule import Schedule

__all__ = ["Schedule", "parse_schedule"]


def __getattr__(name: str) -> object:
    """Load the arithmetic when it is asked for: whoever needs no more than durations does not pay for it."""
    if name == "parse_schedule":
        from runner.schedule.parse import parse_schedule  # noqa: PLC0415 - see above

        return parse_schedule
    if name == "Schedule":
        from runner.schedule.schedule import Schedule  # noqa: PLC0415 - see above

        return Schedule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
