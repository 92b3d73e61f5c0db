"""Set up the contexts of the work tree's `runner.yaml` once, and say what each brings into scope."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from runner import clock
from runner.errors import RunnerError, UsageError
from runner.execution.hosting.host import Host, Hosting, why_not_started
from runner.execution.supervising.run_environment import RunEnvironment, make_folder
from runner.model.context import Context, ContextUse
from runner.model.settings import FILE
from runner.operations.acting.run_now import owned
from runner.operations.reviewing.worktree import settings_of
from runner.operations.ticking.applications import hosted
from runner.operations.workspace import Workspace
from runner.taskfile.contexts import how_to_add
from runner.value import Value

_WAIT = 0.02


class ContextCheck(Value):
    """The set-up of a context: `use` is None where it failed, and `fault` says why. `output` is what it printed."""

    name: str
    use: ContextUse | None
    names: tuple[str, ...]
    fault: str
    output: bytes


def check_contexts(workspace: Workspace, names: tuple[str, ...] = ()) -> Iterator[ContextCheck]:
    """Yield the result of the set-up of each context, or of those with these names.

    The names in scope of a context are written to `contexts/NAME.json` of the state folder. Raises RunnerError,
    UsageError.
    """
    for context in _contexts(workspace.root, names):
        check = _check(workspace, context)
        if check.use is not None:
            _write_names(workspace.state, check)
        yield check


def _contexts(root: str, names: tuple[str, ...]) -> list[Context]:
    known = {context.name: context for context in settings_of(root).contexts}
    for name in names:
        if name not in known:
            hint = f"known are {', '.join(known)}" if known else how_to_add(name)
            raise UsageError(f"there is no context `{name}` in {FILE}", hint)
    return [known[name] for name in names] if names else list(known.values())


def _check(workspace: Workspace, context: Context) -> ContextCheck:
    with owned(workspace) as owner:
        hosting = Hosting(RunEnvironment(workspace.root, workspace.state, ""), owner.made)
        found = hosted(workspace.root, context)
        try:
            host = Host(found, hosting)
        except OSError as error:
            return ContextCheck(context.name, None, (), why_not_started(found, error), b"")
        try:
            while host.use is None and not host.fault:
                host.wait(_WAIT)
            return ContextCheck(context.name, host.use, tuple(host.names), host.fault, host.output())
        finally:
            host.close()


def _write_names(state: str, check: ContextCheck) -> None:
    folder = f"{state}/contexts"
    path = f"{folder}/{check.name}.json"
    try:
        make_folder(folder)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump({"names": check.names, "checked_at": clock.iso(clock.now())}, file, indent=2)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise RunnerError(f"the file {path} cannot be written: {error.strerror}", "check the state folder") from error
