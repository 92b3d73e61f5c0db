"""Run a task without its wall, and learn which permissions it needs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from runner.execution.supervising.events import Ended, Printed, Started
from runner.execution.supervising.run_environment import make_folder
from runner.model.permissions import NOTHING
from runner.model.run import RunDetails
from runner.operations.acting.run_now import Claimed, HowToRun, Observer, owned, run_claimed, to_be_run, watch_of
from runner.operations.reviewing.proposal import Proposal, propose
from runner.operations.ticking.progress import Watch
from runner.operations.workspace import Workspace
from runner.value import replace

#: The folder of the state folder that has what each task was seen to touch.
_FOLDER = "learned"


class _Learning(Watch):
    """A watch that keeps what the run has touched, and passes everything on to another one."""

    def __init__(self, database: str, other: Watch | None) -> None:
        super().__init__(database, lambda _: None, wants_output=other is not None)
        self._other = other
        self.touched: tuple[str, ...] = ()

    def happened(self, event: Started | Ended, *, asked: bool) -> None:
        if isinstance(event, Ended):
            self.touched = event.result.touched
        if self._other is not None:
            self._other.happened(event, asked=asked)

    def printed(self, event: Printed) -> None:
        if self._other is not None:
            self._other.printed(event)


def learn(
    workspace: Workspace, task_id: str, now: datetime, observer: Observer, how: HowToRun
) -> tuple[RunDetails, Proposal]:
    """Run a task, and let it touch what it wants; return the run, and a proposal of what to grant besides.

    What it has touched is kept for `runner permissions --suggest`. Raises RunnerError, UsageError.
    """
    with owned(workspace) as owner:
        claimed = _learning(to_be_run(workspace, task_id, owner.name, now, how))
        watch = _Learning(workspace.database, watch_of(workspace, observer))
        details = run_claimed(workspace, owner, claimed, now, observer, watch)
    found = _kept(workspace, task_id, claimed.job.blob, watch.touched)
    return details, proposal_of(workspace, found, claimed.run_settings.secrets_file)


def proposal_of(workspace: Workspace, touched: Iterable[str], secrets_file: str | None) -> Proposal:
    """Return the proposal for what a task of this repository has touched: nothing of the state, and no secrets."""
    root = os.path.realpath(workspace.root)
    secrets = [os.path.realpath(os.path.join(root, os.path.expanduser(secrets_file)))] if secrets_file else []
    return propose(touched, root, [os.path.realpath(workspace.state), *secrets])


def learned(workspace: Workspace, task_id: str, blob: str) -> tuple[str, ...]:
    """Return what a task was seen to touch in all runs of one version of its file that have learned."""
    try:
        with open(_file(workspace, task_id), encoding="utf-8", errors="surrogateescape") as file:
            found = json.load(file)
        return tuple(map(str, found["touched"])) if found["blob"] == blob else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _learning(claimed: Claimed) -> Claimed:
    granted = claimed.job.permissions
    job = replace(claimed.job, learns=True, permissions=granted if granted.is_held else NOTHING)
    return replace(claimed, job=job)


def _kept(workspace: Workspace, task_id: str, blob: str, touched: tuple[str, ...]) -> list[str]:
    """Add what was touched to what is known of a version of a task; return all of it."""
    path = _file(workspace, task_id)
    known = list(dict.fromkeys((*learned(workspace, task_id, blob), *touched)))
    try:
        make_folder(os.path.dirname(path))
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump({"blob": blob, "touched": known}, file, indent=1)
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        pass  # a full disk: the proposal is shown all the same
    return known


def _file(workspace: Workspace, task_id: str) -> str:
    return f"{workspace.state}/{_FOLDER}/{quote(task_id, safe='')}.json"
