"""The rule that the context of a task is in `runner.yaml`, and that only a Django project is rehearsed."""

from collections.abc import Iterator

from runner.taskfile.contexts import context_of, unknown_context
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding

#: The codes of the findings of this rule. They mean nothing where `runner.yaml` is not valid.
OF_CONTEXTS = frozenset({"unknown-context", "rollback"})


def check(draft: Draft) -> Iterator[Finding]:
    """Yield a finding for a context that is not in `runner.yaml`, and for `rollback` without a Django project."""
    contexts = {context.name: context for context in draft.settings.contexts}
    fault = unknown_context(draft.get("context"), list(contexts))
    if fault is not None:
        yield draft.finding("context", "unknown-context", *fault)
        return
    name = context_of(draft)
    context = contexts.get(name)
    if draft.get("rollback") and not (context is not None and context.settings):
        reason = f"the context `{name}` is none" if name else "this task has no context"
        message = f"`rollback` needs a Django project, and {reason}"
        yield draft.finding("rollback", "rollback", message, "remove `rollback`, or name a context with `settings`")
