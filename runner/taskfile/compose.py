"""Write the text of a new task file."""

from __future__ import annotations

import json
import re

from runner.errors import ScheduleError, UsageError
from runner.schedule.parse import normal_unit

_EVERY = re.compile(r"(?:every\s+)?(?:(?P<count>\d{1,6})\s*)?(?P<unit>[a-z]+)", re.IGNORECASE)
_AT = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)")
#: Text that needs no quotes in YAML, except for the words in `_NOT_TEXT`.
_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z /._@-]*[A-Za-z/._@-])?")
_NOT_TEXT = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_CODE = 'print(f"hello from {task.id}, run {task.run_id}")'


def every(text: str) -> dict[str, object]:
    """Return the keys of a schedule such as `15 minutes`, `hour` or `every 2 days`. Raises UsageError."""
    match = _EVERY.fullmatch(text.strip())
    try:
        unit = normal_unit("" if match is None else match["unit"].lower())
    except ScheduleError:
        raise UsageError(
            f"{text!r} is not an interval", 'write for example "15 minutes", "2 days" or "month"'
        ) from None
    return {"frequency": int((match and match["count"]) or 1), "unit": unit}


def at(text: str) -> dict[str, object]:
    """Return the keys of a daily schedule at a time such as `08:00`. Raises UsageError."""
    match = _AT.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a time of day", "write for example 08:00")
    return {"cron": f"{int(match['minute'])} {int(match['hour'])} * * *"}


def task_text(keys: dict[str, object], schema: str | None) -> str:
    """Return the text of an active task with these keys and a line of sample code.

    `schema` is the path of the JSON schema with which an editor checks the file. Text that needs quotes is written as
    JSON, which is valid YAML (YAML 1.2, 1.3 Relation to JSON).
    """
    head = [] if schema is None else [f"# yaml-language-server: $schema={schema}"]
    lines = [f"{name}: {_scalar(value)}" for name, value in keys.items()]
    return "\n".join([*head, *lines, "active: true", "code: |", f"  {_CODE}", ""])


def _scalar(value: object) -> str:
    text = str(value)
    is_plain = isinstance(value, int) or (_PLAIN.fullmatch(text) is not None and text.lower() not in _NOT_TEXT)
    return text if is_plain else json.dumps(value, ensure_ascii=False)
