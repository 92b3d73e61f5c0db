"""Cancel a run: one that waits, one that is supervised, or one whose owner is gone or does not answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from runner import clock
from runner.errors import RunnerError, UsageError
from runner.execution.owners import owner
from runner.execution.owners.ownership import is_gone
from runner.execution.supervising.run_environment import RunEnvironment
from runner.execution.system import processes
from runner.model.run import Run
from runner.model.statuses import CANCELLED, RUNNING
from runner.operations.ticking.lost_runs import end_in_place, end_lost
from runner.operations.workspace import Workspace
from runner.store import catalogs, history, queue
from runner.store.database import deciding, reading
from runner.store.queue import OwnedRun

REASON = "cancelled by hand"
#: Seconds between looks at the store, and between reminders to the owner of the run.
_LOOK = 0.05
_REMIND = 1.0
#: Seconds that an owner has to answer, beyond the `kill_grace` of the run, before this process ends the run.
_PATIENCE = 5.0

Say = Callable[[str], None]


def cancel(workspace: Workspace, run_id: int, now: datetime, say: Say) -> Run:
    """End a run with its whole process tree, and return it once it has ended.

    `say` receives a sentence about each owner that does not answer. Raises UsageError, RunnerError.
    """
    with deciding(workspace.database) as session:
        found = history.run_details(session, run_id)
        if found is None:
            raise UsageError(f"there is no run {run_id}", "`runner history` lists the runs")
        if found.run.status != RUNNING:
            raise RunnerError(f"run {run_id} has ended already ({found.run.status})", f"see `runner show {run_id}`")
        with session.transaction():
            name = queue.ask_to_end(session, run_id, REASON, now)
    wait_for_end(workspace, {run_id: name} if name else {}, now, say)
    with reading(workspace.database) as session:
        return history.runs_by_id(session, [run_id])[0]


def wait_for_end(workspace: Workspace, owners: dict[int, str], now: datetime, say: Say) -> None:
    """Return when the runs in `owners`, a mapping from run id to owner, have ended.

    Their owners have been asked to end them. Raises RunnerError where an owner does not answer and cannot be seen.
    """
    began, reminded = clock.monotonic(), float("-inf")
    while under_way := _under_way(workspace, owners):
        if clock.monotonic() - reminded >= _REMIND:
            reminded = clock.monotonic()
            if any(is_gone(workspace.state, run.owner) for run in under_way):
                end_lost(workspace, now)
                continue
            for run in under_way:
                processes.wake(owner.read(workspace.state, run.owner).process)
            _end_unanswered(workspace, under_way, reminded - began, now, say)
        clock.pause(_LOOK)


def _under_way(workspace: Workspace, owners: dict[int, str]) -> list[OwnedRun]:
    with reading(workspace.database) as session:
        return [run for run in queue.owned_runs(session) if owners.get(run.run_id) == run.owner]


def _end_unanswered(workspace: Workspace, runs: list[OwnedRun], waited: float, now: datetime, say: Say) -> None:
    """End the runs whose owners do not answer. Raises RunnerError where such an owner cannot be seen from here."""
    for run in runs:
        with reading(workspace.database) as session:
            grace = queue.job(session, run.run_id).kill_grace.total_seconds()
            store_id = catalogs.source(session).store_id
        notes = owner.read(workspace.state, run.owner)
        if waited < _PATIENCE or (waited < _PATIENCE + grace and not notes.is_stopped()):
            continue
        who = f"the runner that supervises run {run.run_id} (pid {processes.pid_of(run.owner)})"
        if not notes.is_visible():
            raise RunnerError(
                f"{who} does not answer, and runs where this command cannot see it",
                "run this command where that runner runs, or wait: the run ends when that runner continues",
            )
        say(f"{who} does not answer: this command ends the processes of the run")
        with deciding(workspace.database) as session:
            how = CANCELLED, run.cancel_reason or REASON
            end_in_place(session, RunEnvironment(workspace.root, workspace.state, store_id), run, how, now)
