"""Which cron expressions follow elapsed time. Apart from `cron`, so that nobody loads cronsim to ask."""

from __future__ import annotations

_WILDCARD_MACROS = {"@hourly"}


def is_wildcard(expression: str) -> bool:
    """Return whether minute or hour starts with `*`: Debian's cron runs such a job by the clock that is on the wall (cron(8))."""
    if expression.startswith("@"):
        return expression.lower() in _WILDCARD_MACROS
    minute, hour, *_ = expression.split()
    return minute.startswith("*") or hour.startswith("*")
