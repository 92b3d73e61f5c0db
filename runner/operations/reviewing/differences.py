"""Compare two versions of a task field by field, with the names of the task file. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from difflib import unified_diff

from runner.model.change import Capability, Difference
from runner.model.context import Context
from runner.model.environment import is_application
from runner.model.limits import Limits
from runner.model.retry import ONCE, Retry
from runner.model.settings import Settings
from runner.model.task import Policy, Task
from runner.schedule.duration import format_duration
from runner.value import as_dict

#: The defaults of keys. They are not shown for a task that is added or removed.
_DEFAULTS = {
    "timeout": format_duration(Settings().timeout),
    "kill_grace": format_duration(Settings().kill_grace),
    "concurrency_policy": Policy().concurrency_policy,
    "catchup": Policy().catchup,
}
#: The keys of `runner.yaml` that are no defaults of tasks. Defaults are shown with each task that they change.

_SETTINGS = ("ref", "max_parallel", "shutdown_grace", "secrets_file", "files", "sandbox", "require_run_as")


def fields(before: Task | None, after: Task | None) -> tuple[Difference, ...]:
    """Return the fields that differ, except the code; for a task that is added or removed, all fields that it sets."""
    old, new = _texts(before), _texts(after)
    if before is None or after is None:
        old, new = (dict(texts.items() - _DEFAULTS.items()) for texts in (old, new))
    names = [name for name in (*_texts(after), *_texts(before)) if name in new or name in old]
    names = list(dict.fromkeys(names))
    return tuple(
        Difference(name, old.get(name, ""), new.get(name, ""))
        for name in names
        if old.get(name, "") != new.get(name, "")
    )


def code(before: Task | None, after: Task | None) -> tuple[str, ...]:
    """Return the difference of the code as lines of a unified diff without header; empty where there is none."""
    old = [] if before is None else before.code.splitlines()
    new = [] if after is None else after.code.splitlines()
    return tuple(unified_diff(old, new, lineterm="", n=3))[2:]


def capabilities(before: Task | None, after: Task | None) -> tuple[Capability, ...]:
    """Return the permissions, secrets, variables, imports and limits that the code gains and loses."""
    old, new = _touched(before), _touched(after)
    found = (Capability(kind, _minus(new[kind], old[kind]), _minus(old[kind], new[kind])) for kind in new)
    return tuple(capability for capability in found if capability.gained or capability.lost)


def settings(before: Settings, after: Settings) -> tuple[Difference, ...]:
    """Return the settings that differ, except the defaults of tasks."""
    old, new = _settings_texts(before), _settings_texts(after)
    names = dict.fromkeys((*new, *old))
    pairs = [(name, old.get(name, ""), new.get(name, "")) for name in names]
    return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])


def _settings_texts(settings: Settings) -> dict[str, str]:
    texts = {name: _text(getattr(settings, name)) for name in _SETTINGS}
    texts["permissions.most"] = ", ".join(settings.most_permissions.in_words())
    for context in settings.contexts:
        for key, value in as_dict(context).items():
            if key == "names":
                texts |= {f"contexts.{context.name}.names.{name}": path for name, path in value}
            elif key == "permissions":
                texts[f"contexts.{context.name}.permissions"] = ", ".join(context.permissions.in_words())
            elif key == "has_all_models":
                texts[f"contexts.{context.name}.models"] = "all" if value else ""
            elif key != "name" and value != Context.__defaults__.get(key):
                texts[f"contexts.{context.name}.{key}"] = _text(value)
    return texts


def _minus(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)


def _touched(task: Task | None) -> dict[str, tuple[str, ...]]:
    if task is None:
        return {"permissions": (), "secrets": (), "env": (), "imports": (), "packages": (), "limits": ()}
    return {
        "permissions": task.permissions.in_words(),
        "secrets": task.secrets,
        "env": tuple(name for name, _ in task.env),
        "imports": imports(task.code),
        "packages": task.dependencies,
        "limits": tuple(f"{name} {text}" for name, text in _limits(task.limits)),
    }


def imports(code: str) -> tuple[str, ...]:
    """Return the top-level names of the modules in all import statements of the code, sorted.

    Modules that the code loads in another way, by `__import__` or through a module in `lib/`, are not found.
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return tuple(sorted({name.partition(".")[0] for name in names}))


def _texts(task: Task | None) -> dict[str, str]:
    if task is None:
        return {}
    spec, policy = task.schedule, task.policy
    texts = {
        "description": task.description,
        "owner": task.owner,
        "tags": ", ".join(task.tags),
        "schedule": spec.in_words(),
        "timezone": spec.timezone,
        "end": spec.end or "",
        "active": _text(task.active),
        "timeout": format_duration(task.timeout),
        "kill_grace": format_duration(task.kill_grace),
        "retry": _retry(task.retry),
        "concurrency_policy": policy.concurrency_policy,
        "catchup": policy.catchup,
        "starting_deadline": _text(policy.starting_deadline),
        "jitter": "" if not policy.jitter else format_duration(policy.jitter),
        **{f"limits.{name}": text for name, text in _limits(task.limits)},
        **{f"env.{name}": value for name, value in task.env},
        "secrets": ", ".join(task.secrets),
        "context": task.context if is_application(task.context) else "",
        "dependencies": ", ".join(task.dependencies),
        "rollback": "true" if task.rollback else "",
        "permissions": ", ".join(task.permissions.in_words()),
        "run_as": task.run_as,
    }
    return {name: text for name, text in texts.items() if text}


def _retry(retry: Retry) -> str:
    if retry == ONCE or retry.attempts == 1:
        return ""
    longest = f", at most {format_duration(retry.max_delay)}"
    return f"{retry.attempts} attempts, {format_duration(retry.delay)} apart, × {retry.backoff:g}{longest}"  # noqa: RUF001


def _limits(limits: Limits) -> Iterator[tuple[str, str]]:
    for name in ("memory", "cpu", "processes", "open_files", "file_size"):
        if getattr(limits, name) is not None:
            yield name, limits.in_words(name).removeprefix(f"{name} (").removesuffix(")")


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_duration(value) if isinstance(value, timedelta) else str(value)
