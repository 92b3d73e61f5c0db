"""A task file while it is checked: its document, and which of its keys the schema has accepted."""

from __future__ import annotations

from typing import Any

from runner.errors import ScheduleError
from runner.model.settings import Settings
from runner.taskfile.document import Document
from runner.taskfile.findings import Finding
from runner.value import Value


class Draft(Value):
    """What rules check. `bad_keys` are the top-level keys for which the schema has findings."""

    path: str
    document: Document
    settings: Settings
    bad_keys: frozenset[str]

    def get(self, key: str) -> Any:
        """Return the value of a key, or None where it is missing or the schema has a finding for it."""
        return None if key in self.bad_keys else self.document.value.get(key)

    def has(self, key: str) -> bool:
        """Return whether the file has the key, with any value."""
        return key in self.document.value

    def finding(self, key: str, code: str, message: str, hint: str = "", *, at_key: bool = False) -> Finding:
        """Return a finding about a key's value, or about the key itself."""
        return self.document.finding((key,), code, message, hint, at_key=at_key)

    def schedule_finding(self, error: ScheduleError) -> Finding:
        """Return an error of the schedule parser as a finding about the key that it names."""
        code = error.field if error.field in {"cron", "rrule", "timezone", "start", "end"} else "schedule"
        return self.finding(error.field, code, error.message, error.hint or "")
