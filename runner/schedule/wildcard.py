"""Tell which cron expressions follow elapsed time. This is not in `cron`, so that it does not load cronsim."""

from __future__ import annotations

_WILDCARD_MACROS = {"@hourly"}


def is_wildcard(expression: str) -> bool:
    """Return whether minute or hour starts with `*`: Debian's cron runs such a job by the wall clock (cron(8))."""
    if expression.startswith("@"):
        return expression.lower() in _WILDCARD_MACROS
    minute, hour, *_ = expression.split()
    return minute.startswith("*") or hour.startswith("*")
