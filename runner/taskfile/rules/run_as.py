"""The rule that a task names the user that runs it, where `require_run_as` of `runner.yaml` asks for that."""

from __future__ import annotations

from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a task that root would run."""
    if not draft.settings.require_run_as or "run_as" in draft.bad_keys:
        return
    name = draft.get("run_as") or draft.settings.run_as
    if not name:
        message = "`run_as` is missing, and runner.yaml requires it"
        yield draft.document.finding((), "run-as", message, "add for example `run_as: www-data`")
    elif name == "root":
        message = "`run_as` is root, and runner.yaml requires another user"
        where = ("run_as",) if draft.has("run_as") else ()
        yield draft.document.finding(where, "run-as", message, "name for example `run_as: www-data`")
