"""Why a manual run has to wait before it starts."""

from __future__ import annotations

from runner.model.run import Run
from runner.value import Value


class Wait(Value):
    """The runs that a run waits for: those that it replaces, or, with a limit, until fewer than that are under way."""

    runs: tuple[Run, ...]
    limit: int | None = None
