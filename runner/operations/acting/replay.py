"""Run a run again: for the same slot, with the same version or the one in force now. Its schedule does not change."""

from __future__ import annotations

from datetime import datetime
from difflib import unified_diff

from runner.errors import UsageError
from runner.model.run import RunDetails
from runner.model.statuses import RUNNING
from runner.model.stored import StoredTask
from runner.operations.acting.run_now import Observer, claim, owned, run_claimed
from runner.operations.lookup import known_task
from runner.operations.ticking.current import bring_up_to_date
from runner.operations.ticking.lost_runs import end_lost
from runner.operations.workspace import Workspace
from runner.store import catalogs, history
from runner.store.claims import RunRequest
from runner.store.database import deciding
from runner.store.session import Reading
from runner.value import Value


class Replay(Value):
    """A run and its replay. `difference` is the difference of their outputs, as lines of a unified diff."""

    original: RunDetails
    again: RunDetails
    difference: tuple[str, ...]


def replay(workspace: Workspace, run_id: int, now: datetime, observer: Observer, *, at_head: bool = False) -> Replay:
    """Run a run again, and return both runs and the difference of their outputs.

    With `at_head`, the replay runs the version that is in force now. Raises UsageError, RunnerError.
    """
    with owned(workspace) as owner:
        with deciding(workspace.database) as session:
            bring_up_to_date(session, workspace, now)
            end_lost(workspace, now)
            with session.transaction():
                original = _original(session, run_id)
                stored = known_task(session, original.run.task, or_tried=True)
                request = _request(session, original, stored, at_head=at_head)
                claimed = claim(session, stored, request, owner.name, now)
        again = run_claimed(workspace, owner, claimed, now, observer)
    return Replay(original, again, _difference(original, again))


def _original(session: Reading, run_id: int) -> RunDetails:
    original = history.run_details(session, run_id)
    if original is None:
        raise UsageError(f"there is no run {run_id}", "`runner history` lists the runs")
    if original.run.status == RUNNING:
        raise UsageError(f"run {run_id} has not ended yet", f"wait for it: `runner logs -f {run_id}`")
    return original


def _request(session: Reading, original: RunDetails, stored: StoredTask, *, at_head: bool) -> RunRequest:
    run = original.run
    version, commit = history.version_of(session, run.run_id), run.commit
    if at_head:
        if stored.version is None or stored.blob is None:
            raise UsageError(
                f"the task {stored.id} has no valid version now", "leave out --at-commit to run the original version"
            )
        version, commit = stored.version, stored.valid_commit or catalogs.source(session).commit
    return RunRequest(stored.key, version, commit, run.run_id, run.scheduled_for)


def _difference(original: RunDetails, again: RunDetails) -> tuple[str, ...]:
    old, new = (details.output.decode("utf-8", "replace").splitlines() for details in (original, again))
    before, after = (f"run {details.run.run_id}" for details in (original, again))
    return tuple(unified_diff(old, new, before, after, lineterm=""))
