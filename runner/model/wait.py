"""What keeps a run that a person has asked for from starting."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.run import Run


@dataclass(frozen=True, slots=True)
class Wait:
    """A run waits for others: for those that it replaces, or, where there is a limit, until fewer than that are under way."""

    runs: tuple[Run, ...]
    limit: int | None = None
