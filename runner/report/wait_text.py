"""What a run waits for, in words."""

from __future__ import annotations

from runner.model.run import Run
from runner.model.wait import Wait

#: So many runs are named.
_FEW = 3


def wait_line(wait: Wait) -> str:
    """Return the line that says what a run waits for."""
    named = ", ".join(_named(run) for run in wait.runs[:_FEW]) + (", …" if len(wait.runs) > _FEW else "")
    if wait.limit is None:
        return f"waiting for what this run replaces to end: {named}"
    return f"waiting for a free slot: {len(wait.runs)} of {wait.limit} runs are under way" + (
        f" ({named})" if named else ""
    )


def _named(run: Run) -> str:
    return f"run {run.run_id} {run.task}"
