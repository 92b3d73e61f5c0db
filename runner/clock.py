"""The present time. No other module of runner reads the clock."""

import os
import time
from datetime import UTC, datetime, timedelta

#: The variable that sets the clock of a process: an ISO 8601 instant. The clock starts there and runs on.
#: For dry runs and tests: `RUNNER_NOW=2026-03-29T00:59:59Z runner tick --dry-run`.
CLOCK_VARIABLE = "RUNNER_NOW"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_offset: timedelta | None = None


class ClockVariableError(ValueError):
    """RUNNER_NOW is not an ISO 8601 instant with a UTC offset."""


def now() -> datetime:
    """Return the present instant, aware and in UTC.

    Raises ClockVariableError if RUNNER_NOW is set and is not an ISO 8601 instant with a UTC offset.
    """
    present = datetime.now(UTC)
    return present + _offset_of_process(present)


def _offset_of_process(present: datetime) -> timedelta:
    global _offset  # noqa: PLW0603 - the whole process has one clock
    if _offset is None:
        start = os.environ.get(CLOCK_VARIABLE)
        _offset = _instant(start) - present if start else timedelta(0)
    return _offset


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ClockVariableError(f"{CLOCK_VARIABLE}={text} is not an ISO 8601 time") from None
    if instant.tzinfo is None:
        raise ClockVariableError(f"{CLOCK_VARIABLE}={text} has no UTC offset")
    return instant.astimezone(UTC)


def monotonic() -> float:
    """Return the seconds of the monotonic clock, which cannot be set, for durations and timeouts."""
    return time.monotonic()


def monotonic_millis() -> int:
    """Return milliseconds of the same clock. All processes see the same value until the machine is started again."""
    return time.monotonic_ns() // 1_000_000


def to_millis(instant: datetime) -> int:
    """Return whole milliseconds since 1970-01-01T00:00:00Z, the form in which the store keeps instants."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the instant of that many milliseconds since 1970-01-01T00:00:00Z, aware and in UTC."""
    return _EPOCH + millis * _MILLISECOND


def to_micros(instant: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z: the full precision of a datetime."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the instant of that many microseconds since 1970-01-01T00:00:00Z, aware and in UTC."""
    return _EPOCH + micros * _MICROSECOND


def iso(instant: datetime) -> str:
    """Return the instant as ISO 8601 in UTC, `2026-03-29T01:00:00Z`, with milliseconds unless they are 0."""
    form = "seconds" if instant.microsecond // 1000 == 0 else "milliseconds"
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=form) + "Z"


def pause(seconds: float) -> None:
    """Wait so many seconds."""
    time.sleep(seconds)
