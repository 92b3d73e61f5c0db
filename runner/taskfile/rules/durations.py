"""Durations and sizes are more than nothing where nothing makes no sense, and less than a lifetime."""

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
_NOT_NOTHING = {
    "timeout": ("a timeout of 0s would end every run at once", "leave it out, or write 1h"),
    "starting_deadline": ("a starting deadline of 0s would miss every slot", "leave it out, or write 10m"),
    "fetch": ("a fetch every 0s would never end", "leave it out, or write 5m"),
    "cpu": ("a limit of 0s would end every run at once", "leave it out, or write 5m"),
    "memory": ("a limit of nothing would end every run at once", "leave it out, or write 512M"),
}
#: The interpreter alone has so much.
_LEAST_MEMORY = 16 * 1024 * 1024

Path = tuple[str, ...]


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a timeout of nothing, for durations beyond a hundred years, and for memory that nothing fits into."""
    yield from against(draft.document, (), {key: draft.get(key) for key in draft.document.value})


def against(document: Document, below: Path, value: dict[str, Any]) -> Iterator[Finding]:
    """Yield a finding for each duration and size that makes no sense in a mapping, which stands at a path of the document."""
    for path in _DURATIONS:
        said = _against_duration(path[-1], _value_at(value, path))
        if said is not None:
            yield document.finding((*below, *path), "duration", *said)
    backoff = _value_at(value, _BACKOFF)
    if isinstance(backoff, float) and not isfinite(backoff):
        yield document.finding((*below, *_BACKOFF), "value", "`backoff` is not a number to reckon with", "write 2")
    for path in _SIZES:
        said = _against_size(path[-1], _value_at(value, path))
        if said is not None:
            yield document.finding((*below, *path), "size", *said)


def _value_at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _against_duration(key: str, value: object) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return None
    try:
        duration = parse_duration(value)
    except ValueError:
        return f"`{key}` {value} is longer than a hundred years", "write for example 1h"
    return None if duration else _NOT_NOTHING.get(key)


def _against_size(key: str, value: object) -> tuple[str, str] | None:
    if not isinstance(value, str):
        return None
    size = parse_size(value)
    if key == "memory" and 0 < size < _LEAST_MEMORY:
        return f"`{key}` {value} is less than Python itself takes", "write 16M at least"
    return None if size else _NOT_NOTHING.get(key)
