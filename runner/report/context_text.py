"""The context of an attempt, what a rehearsal would have changed, and the check of contexts, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.model.commit import SHORT
from runner.model.context import ContextUse
from runner.model.environment import is_environment
from runner.report.facts import Facts
from runner.report.table import plain

TYPE_CHECKING = False  # only type checkers need these modules: loading them takes longer than most commands
if TYPE_CHECKING:
    from runner.operations.reviewing.context_check import ContextCheck

_KINDS = ("created", "changed", "deleted")
_MEGABYTE = 1_000_000
Fact = tuple[str, str, str]


def context_facts(use: ContextUse | None) -> Iterator[Fact]:
    """Yield the fact about the context of an attempt: `django, set up in 0.3 s, 47 MB, application 1a2b3c4d5e6f`."""
    if use is not None:
        yield "packages" if is_environment(use.name) else "context", f"{use.name}, {_figures(use)}", ""


def _figures(use: ContextUse) -> str:
    identity = use.application.removeprefix("sha256:")[:SHORT]
    application = f", application {identity}" if identity else ""
    return f"set up in {use.setup_seconds:.1f} s, {use.memory_bytes / _MEGABYTE:.0f} MB{application}"


def rehearsal_facts(rehearsal: str) -> Iterator[Fact]:
    """Yield the facts about what a rehearsal would have changed. `rehearsal` is JSON, empty for no rehearsal."""
    if not rehearsal:
        return
    found: dict[str, Any] = json.loads(rehearsal)
    if found["complete"]:
        yield "rollback", "nothing was changed: this run was a rehearsal", "yellow"
    else:
        yield "rollback", "not complete: the code has ended the transaction itself", "red"
    changes = [_change(row) for row in found["changes"]]
    yield "would have", "; ".join(changes) or "changed no rows", ""
    if found["on_commit"]:
        hooks = ", ".join(dict.fromkeys(found["on_commit_hooks"]))
        times = "1 hook" if found["on_commit"] == 1 else f"{found['on_commit']} hooks"
        yield "", f"run {times} on commit: {plain(hooks)}", ""
    for mail in found["mail"]:
        yield "", f"sent a mail to {plain(', '.join(mail['to']))}: {plain(mail['subject'])}", ""
    more = found["mails"] - len(found["mail"])
    if more > 0:
        yield "", f"sent {more} more mail{'' if more == 1 else 's'}", ""
    yield "not undone", "; ".join(map(plain, found["not_undone"])), ""


def _change(row: dict[str, Any]) -> str:
    counts = ", ".join(f"{kind} {row[kind]}" for kind in _KINDS if row[kind])
    return f"{plain(row['model'])}: {counts}"


def check_facts(check: ContextCheck) -> Facts:
    """Return the facts about the set-up of a context, or why it failed."""
    facts = [("context", check.name, "")]
    if check.use is None:
        facts.append(("set-up", check.fault, "red"))
    else:
        facts.append(("set-up", _figures(check.use), "green"))
        facts.append(("names", ", ".join(check.names) or "none", ""))
    return Facts(facts)


def check_json(check: ContextCheck) -> dict[str, Any]:
    """Return the result of the set-up of a context."""
    use = check.use
    return {
        "name": check.name,
        "setup_seconds": None if use is None else use.setup_seconds,
        "memory_bytes": None if use is None else use.memory_bytes,
        "application": None if use is None else use.application,
        "names": list(check.names),
        "fault": check.fault or None,
        "output": check.output.decode("utf-8", "replace"),
    }
