"""Durations as people write them: `90s`, `30m`, `2h`, `1d`, `1h30m`."""

from datetime import timedelta

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def parse_duration(text: str) -> timedelta:
    """Return the duration in a text; units go from large to small, each at most once.

    Raises ValueError for anything else.
    """
    seconds, digits, allowed = 0, "", "dhms"
    for letter in text:
        if letter.isascii() and letter.isdigit():
            digits += letter
        elif digits and letter in allowed:
            seconds += int(digits) * _UNITS[letter]
            digits, allowed = "", allowed[allowed.index(letter) + 1 :]
        else:
            raise ValueError(f"{text!r} is not a duration")
    if digits or not text or seconds > _UNITS["d"] * 36_500:
        raise ValueError(f"{text!r} is not a duration")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back as the same whole seconds; never negative."""
    rest = max(0, int(duration.total_seconds()))
    parts = []
    for letter, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"
