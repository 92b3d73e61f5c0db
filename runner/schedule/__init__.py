"""Compute the slots of schedules. Pure: no clock, no I/O.

`parse_schedule(fields)` reads the keys of a task file and returns a `Schedule` with two methods: `after(instant)` and
`latest(after, until)`. All instants are aware datetimes; results are in UTC.
"""

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.schedule.parse import parse_schedule
    from runner.schedule.schedule import Schedule

__all__ = ["Schedule", "parse_schedule"]


def __getattr__(name: str) -> object:
    """Import the parser on first use: a module that needs only durations does not load it."""
    if name == "parse_schedule":
        from runner.schedule.parse import parse_schedule  # noqa: PLC0415 - see above

        return parse_schedule
    if name == "Schedule":
        from runner.schedule.schedule import Schedule  # noqa: PLC0415 - see above

        return Schedule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
