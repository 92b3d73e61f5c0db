"""Contexts: the applications of `runner.yaml` whose names stand in scope of tasks."""

from __future__ import annotations

from datetime import timedelta

from runner.model.permissions import NOTHING, Permissions
from runner.value import Value, as_dict

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Any

_MICROSECOND = timedelta(microseconds=1)
#: What a task names in order to have no context, where `runner.yaml` has one for all.
NONE = "none"
#: The names that every task has in scope. A context may replace none of them.
RESERVED = frozenset({"datetime", "logger", "print", "task", "timedelta", "timezone"})


class Context(Value):
    """One application. It is a Django project if `settings` is not empty; otherwise `setup` names its function.

    - `path`: the folder of the application, absolute or relative to the task root, as all other paths are.
    - `settings`: the settings module of a Django project.
    - `setup`: `module:function` of any other application; `teardown` of the same module is called at the end of a run.
    - `python`: the interpreter of the application; empty for that of runner.
    - `env_file`: a file of `NAME=value` lines for the environment of the application; empty where there is none.
    - `names`: the names in scope, each with the dotted path of its object.
    - `has_all_models`: whether all models of a Django project stand in scope by the names of their classes.
    - `language`: the language that is active in runs; empty for LANGUAGE_CODE of a Django project.
    - `max_parallel`: how many runs of all ticks may be under way at once.
    - `timeout`: the time limit of the set-up.
    - `digest`: a file whose content identifies the deployed application; empty for its git commit.
    - `permissions`: what the application needs, for instance of its database: they are added to those of its tasks.
    """

    name: str
    path: str
    settings: str = ""
    setup: str = ""
    python: str = ""
    env_file: str = ""
    names: tuple[tuple[str, str], ...] = ()
    has_all_models: bool = False
    language: str = ""
    max_parallel: int = 20
    timeout: timedelta = timedelta(seconds=60)
    digest: str = ""
    permissions: Permissions = NOTHING


class ContextUse(Value):
    """The application in which an attempt ran, for the record.

    `memory_bytes` is the resident memory of its host after the set-up. `application` is the git commit of the
    application or the digest of the file that `runner.yaml` names; empty where neither is known.
    """

    name: str
    setup_seconds: float
    memory_bytes: int
    application: str


def pack_context(context: Context) -> dict[str, Any]:
    """Return a context as values that `marshal` and JSON can write."""
    names = [list(pair) for pair in context.names]
    permissions = {name: [*it] if isinstance(it, tuple) else it for name, it in as_dict(context.permissions).items()}
    return as_dict(context) | {
        "names": names,
        "timeout": context.timeout // _MICROSECOND,
        "permissions": permissions,
    }


def unpack_context(values: dict[str, Any]) -> Context:
    """Return the context from the values that `pack_context` has returned."""
    names = tuple((name, path) for name, path in values["names"])
    plain: dict[str, Any] = values.get("permissions", {})
    known = Permissions.__fields__  # a runner of another day may have had other fields
    granted: dict[str, Any] = {
        name: tuple(it) if isinstance(it, list) else it for name, it in plain.items() if name in known
    }
    timeout = values["timeout"] * _MICROSECOND
    return Context(**values | {"names": names, "timeout": timeout, "permissions": Permissions(**granted)})
