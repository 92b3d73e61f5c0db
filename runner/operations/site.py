"""Where one set of tasks lives."""

from __future__ import annotations

from dataclasses import dataclass

from runner.store.database import FILE


@dataclass(frozen=True, slots=True)
class Site:
    """`root` holds `tasks/`, `state` the database; both absolute."""

    root: str
    state: str

    @property
    def database(self) -> str:
        """The database's file."""
        return f"{self.state}/{FILE}"
