"""The rule about durations and sizes: not 0 where 0 makes no sense, and no duration of more than a hundred years."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

from runner.model.limits import parse_size
from runner.schedule.duration import parse_duration
from runner.taskfile.document import Document
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

_DURATIONS = (
    *(("timeout",), ("kill_grace",), ("starting_deadline",), ("jitter",), ("retry", "delay"), ("retry", "max_delay")),
    *(("limits", "cpu"), ("shutdown_grace",), ("git", "fetch")),
)
_BACKOFF = ("retry", "backoff")
_SIZES = (("limits", "memory"), ("limits", "file_size"))
_NOT_ZERO = {
    "timeout": ("a timeout of 0s would end every run at once", "leave it out, or write 1h"),
    "starting_deadline": ("a starting deadline of 0s would miss every slot", "leave it out, or write 10m"),
    "fetch": ("a fetch every 0s would never end", "leave it out, or write 5m"),
    "cpu": ("a limit of 0s would end every run at once", "leave it out, or write 5m"),
    "memory": ("a limit of 0 bytes would end every run at once", "leave it out, or write 512M"),
}
#: The least memory limit in bytes: the interpreter alone needs about this much.
_LEAST_MEMORY = 16 * 1024 * 1024

Path = tuple[str, ...]


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for each duration and size that makes no sense, and for a `backoff` that is not finite."""
    yield from check_mapping(draft.document, (), {key: draft.get(key) for key in draft.document.value})


def check_mapping(document: Document, parent: Path, value: dict[str, Any]) -> Iterator[Finding]:
    """Yield the same findings about a mapping, which is at the path `parent` of the document."""
    for path in _DURATIONS:
        fault = _duration_fault(path[-1], _value_at(value, path))
        if fault is not None:
            yield document.finding((*parent, *path), "duration", *fault)
    backoff = _value_at(value, _BACKOFF)
    if isinstance(backoff, float) and not isfinite(backoff):
        yield document.finding((*parent, *_BACKOFF), "value", "`backoff` must be a finite number", "write 2")
    for path in _SIZES:
        fault = _size_fault(path[-1], _value_at(value, path))
        if fault is not None:
            yield document.finding((*parent, *path), "size", *fault)


def _value_at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _duration_fault(key: str, value: object) -> tuple[str, str] | None:
    """Return a message and a hint about a duration that makes no sense, or None."""
    if not isinstance(value, str):
        return None
    try:
        duration = parse_duration(value)
    except ValueError:
        return f"`{key}` {value} is longer than a hundred years", "write for example 1h"
    return None if duration else _NOT_ZERO.get(key)


def _size_fault(key: str, value: object) -> tuple[str, str] | None:
    """Return a message and a hint about a size that makes no sense, or None."""
    if not isinstance(value, str):
        return None
    size = parse_size(value)
    if key == "memory" and 0 < size < _LEAST_MEMORY:
        return f"`{key}` {value} is less than Python itself takes", "write 16M at least"
    return None if size else _NOT_ZERO.get(key)
