"""The rule that a task asks for no more than `permissions.most` of `runner.yaml`."""

from __future__ import annotations

from collections.abc import Iterator

from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding
from runner.taskfile.permissions import beyond, build_permissions


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for each permission beyond the bound."""
    value, most = draft.get("permissions"), draft.settings.most_permissions
    if value is None or not most.is_held:
        return
    for key, asked in beyond(build_permissions(value), most):
        message = f"`{key}: {asked}` is more than `permissions.most` of runner.yaml allows"
        hint = "leave it out, or have that bound widened in a change of its own"
        yield draft.document.finding(("permissions", key), "permissions", message, hint)
