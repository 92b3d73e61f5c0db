"""The two folders of a workspace."""

from __future__ import annotations

from runner.value import Value


class Workspace(Value):
    """Two absolute paths: `root` holds `tasks/`, `state` holds the database."""

    root: str
    state: str

    @property
    def database(self) -> str:
        """The path of the database file."""
        return f"{self.state}/runner.db"
