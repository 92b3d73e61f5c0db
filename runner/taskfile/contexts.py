"""Check and build the contexts of `runner.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from keyword import iskeyword
from typing import Any

from runner.model.context import NONE, RESERVED, Context
from runner.schedule.duration import parse_duration
from runner.taskfile.document import Document, Path
from runner.taskfile.draft import Draft
from runner.taskfile.findings import Finding, nearest
from runner.taskfile.permissions import build_permissions

#: Keys that only a Django project has.
_ONLY_DJANGO = ("models", "language")
_LONGEST_SETUP = timedelta(minutes=10)


def check_contexts(document: Document, bad: set[Path]) -> Iterator[Finding]:
    """Yield the findings of `contexts`, and of `defaults.context`. `bad` are paths with a finding of the schema."""
    contexts = _accepted(document.value.get("contexts"), ("contexts",), bad)
    for name, context in contexts.items():
        path: Path = ("contexts", name)
        accepted = _accepted(context, path, bad)
        yield from _check_kind(document, path, context)
        if name == NONE:
            message = f"`{NONE}` is what a task names in order to have no context"
            yield document.finding(path, "context", message, "choose another name", at_key=True)
        if "names" in accepted:
            yield from _check_names(document, (*path, "names"), accepted["names"], bad)
        if "timeout" in accepted:
            yield from _check_timeout(document, (*path, "timeout"), accepted["timeout"])
    yield from _check_default(document, bad)


def _accepted(value: Any, path: Path, bad: set[Path]) -> Mapping[str, Any]:
    """Return the items of a mapping without those for which the schema has findings."""
    if not isinstance(value, dict) or path in bad:
        return {}
    return {key: item for key, item in value.items() if (*path, key) not in bad}


def _check_kind(document: Document, path: Path, context: Any) -> Iterator[Finding]:
    if not isinstance(context, dict):
        return
    if "settings" in context and "setup" in context:
        message = "a context has `settings` or `setup`, not both"
        yield document.finding((*path, "setup"), "context", message, "remove `setup` for a Django project", at_key=True)
    elif "settings" not in context and "setup" not in context:
        message = f"the context `{path[-1]}` needs `settings` or `setup`"
        hint = "add `settings: project.settings` for a Django project, `setup: module:function` for another application"
        yield document.finding(path, "context", message, hint, at_key=True)
    for key in _ONLY_DJANGO:
        if key in context and "setup" in context and "settings" not in context:
            message = f"`{key}` is for Django projects, which have `settings`"
            yield document.finding((*path, key), "context", message, f"remove `{key}`", at_key=True)


def _check_names(document: Document, path: Path, names: Any, bad: set[Path]) -> Iterator[Finding]:
    for name in _accepted(names, path, bad):
        if name in RESERVED:
            message = f"`{name}` is in scope of every task, and a context may not replace it"
        elif iskeyword(name) or name.startswith("__"):
            message = f"`{name}` is not a name that can be used here"
        else:
            continue
        yield document.finding((*path, name), "context", message, "choose another name", at_key=True)


def _check_timeout(document: Document, path: Path, text: str) -> Iterator[Finding]:
    try:
        timeout = parse_duration(text)
    except ValueError:
        timeout = timedelta.max
    if not timeout:
        message = "a timeout of 0s would end every set-up at once"
        yield document.finding(path, "duration", message, "leave it out, or write 60s")
    elif timeout > _LONGEST_SETUP:
        message = f"`timeout` is {text}; a set-up may take 10m at most"
        yield document.finding(path, "duration", message, "write 10m or less")


def _check_default(document: Document, bad: set[Path]) -> Iterator[Finding]:
    defaults = _accepted(document.value.get("defaults"), ("defaults",), bad)
    fault = unknown_context(defaults.get("context"), document.value.get("contexts"))
    if fault is not None:
        yield document.finding(("defaults", "context"), "unknown-context", *fault)


def unknown_context(name: object, contexts: object) -> tuple[str, str] | None:
    """Return a message and a hint about a name that is not among the contexts; None for a known one, or none."""
    known = [str(each) for each in contexts] if isinstance(contexts, dict | tuple | list) else []
    if not isinstance(name, str) or name in {NONE, *known}:
        return None
    message = f"there is no context `{name}` in runner.yaml"
    return message, nearest(name, known) if known else how_to_add(name)


def context_of(draft: Draft) -> str:
    """Return the name of the context of a task, that of `runner.yaml` where it names none; empty for no context."""
    name: str = draft.get("context") or draft.settings.context
    return "" if name == NONE else name


def how_to_add(name: str) -> str:
    """Return the hint that shows the line of `runner.yaml` to add for a context."""
    shown = name if name.isidentifier() else "NAME"
    return f"add it to runner.yaml: `contexts: {{{shown}: {{path: ../app, settings: PROJECT.settings}}}}`"


def build_contexts(value: Mapping[str, Any]) -> tuple[Context, ...]:
    """Return the contexts of a `runner.yaml` without findings."""
    return tuple(_build(name, context) for name, context in value.items())


def _build(name: str, value: Mapping[str, Any]) -> Context:
    default = Context(name, "")
    return Context(
        name=name,
        path=value["path"],
        settings=value.get("settings", default.settings),
        setup=value.get("setup", default.setup),
        python=value.get("python", default.python),
        env_file=value.get("env_file", default.env_file),
        names=tuple(value.get("names", {}).items()),
        has_all_models="models" in value,
        language=value.get("language", default.language),
        max_parallel=int(value.get("max_parallel", default.max_parallel)),
        timeout=parse_duration(value["timeout"]) if "timeout" in value else default.timeout,
        digest=value.get("digest", default.digest),
        permissions=build_permissions(value.get("permissions")),
    )
