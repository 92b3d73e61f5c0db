"""The line that says what a run waits for."""

from __future__ import annotations

from runner.model.run import Run
from runner.model.wait import Wait

#: How many runs are named.
_FEW = 3


def wait_line(wait: Wait) -> str:
    """Return what a run waits for, with the runs that are under way."""
    named = ", ".join(_named(run) for run in wait.runs[:_FEW]) + (", …" if len(wait.runs) > _FEW else "")
    if wait.limit is None:
        replaced = "run" if len(wait.runs) == 1 else "runs"
        return f"waiting for the end of the {replaced} that this run replaces: {named}"
    return f"waiting for a free slot: {len(wait.runs)} of {wait.limit} runs are under way" + (
        f" ({named})" if named else ""
    )


def _named(run: Run) -> str:
    return f"run {run.run_id} {run.task}"
