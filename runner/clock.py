"""The one place that reads the clock."""

import os
import time
from datetime import UTC, datetime, timedelta

#: Set to an ISO 8601 instant, this makes the process believe that it started then; time goes on from there.
#: For rehearsals and for the tests: `RUNNER_NOW=2026-03-29T00:59:59Z runner tick --dry-run`.
REHEARSAL = "RUNNER_NOW"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_offset: timedelta | None = None


class RehearsalError(ValueError):
    """The time of a rehearsal cannot be read."""


def now() -> datetime:
    """Return the present instant, aware and in UTC.

    Raises RehearsalError where RUNNER_NOW is set and is not an ISO 8601 instant with an offset.
    """
    present = datetime.now(UTC)
    return present + _rehearsed(present)


def _rehearsed(present: datetime) -> timedelta:
    global _offset  # noqa: PLW0603 - the start of the rehearsal is a fact of the whole process
    if _offset is None:
        pretended = os.environ.get(REHEARSAL)
        _offset = _instant(pretended) - present if pretended else timedelta(0)
    return _offset


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise RehearsalError(f"{REHEARSAL}={text} is not an ISO 8601 time") from None
    if instant.tzinfo is None:
        raise RehearsalError(f"{REHEARSAL}={text} has no UTC offset")
    return instant.astimezone(UTC)


def monotonic() -> float:
    """Return seconds on a clock that nobody can set, for measuring and for timeouts."""
    return time.monotonic()


def monotonic_millis() -> int:
    """Return milliseconds on that clock: the same for every process since the machine was started."""
    return time.monotonic_ns() // 1_000_000


def to_millis(instant: datetime) -> int:
    """Return whole milliseconds since 1970-01-01T00:00:00Z, the form in which the store keeps instants."""
    return (instant - _EPOCH) // _MILLISECOND


def from_millis(millis: int) -> datetime:
    """Return the instant of `to_millis`, aware and in UTC."""
    return _EPOCH + millis * _MILLISECOND


def to_micros(instant: datetime) -> int:
    """Return whole microseconds since 1970-01-01T00:00:00Z: all that a datetime holds."""
    return (instant - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the instant of `to_micros`, aware and in UTC."""
    return _EPOCH + micros * _MICROSECOND


def iso(instant: datetime) -> str:
    """Return the instant as ISO 8601 in UTC, `2026-03-29T01:00:00Z`; milliseconds only where there are any."""
    form = "seconds" if instant.microsecond // 1000 == 0 else "milliseconds"
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=form) + "Z"


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
