"""What keeps a run that a person has asked for from starting."""

from __future__ import annotations

from runner.model.run import Run
from runner.value import Value


class Wait(Value):
    """A run waits for others: for those that it replaces, or, where there is a limit, until fewer than that are under way."""

    runs: tuple[Run, ...]
    limit: int | None = None
