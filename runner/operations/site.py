"""Where one set of tasks lives."""

from __future__ import annotations

from runner.model.value import Value

_DATABASE = "runner.db"


class Site(Value):
    """`root` holds `tasks/`, `state` the database; both absolute."""

    __slots__ = ("root", "state")

    def __init__(self, root: str, state: str) -> None:
        self.root = root
        self.state = state

    @property
    def database(self) -> str:
        """The database's file."""
        return f"{self.state}/{_DATABASE}"
