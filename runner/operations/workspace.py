"""Where one set of tasks lives."""

from __future__ import annotations

from runner.value import Value


class Workspace(Value):
    """`root` holds `tasks/`, `state` the database; both absolute."""

    root: str
    state: str

    @property
    def database(self) -> str:
        """The database's file."""
        return f"{self.state}/runner.db"
