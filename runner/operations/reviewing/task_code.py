"""Check the code of valid tasks: whether the names and modules that it uses will be there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder

from runner.model.context import RESERVED, Context
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.model.task import Task
from runner.taskfile.code_check import Scope, check_code
from runner.taskfile.text import indent_of


class CodeChecker:
    """Checks the tasks of one work tree."""

    def __init__(self, root: str, state: str, settings: Settings) -> None:
        self._root = root
        contexts = settings.contexts
        #: The names that each context adds; None where only its set-up knows them, and it was not checked here.
        self._names = {context.name: _names_of(context, state) for context in contexts}
        self._offered = {name: context.name for context in contexts for name in self._names[context.name] or ()}

    def problems(self, path: str, content: bytes, task: Task) -> list[Problem]:
        """Return the problems of the code of a valid task file."""
        text = content.decode("utf-8-sig")
        indent = indent_of(text, task.code_line, task.code)
        findings = check_code(task.code, self._scope(task), task.code_line, indent)
        return [finding.in_file(path) for finding in findings]

    def _scope(self, task: Task) -> Scope:
        if task.dependencies:  # which modules these bring is known once they are installed
            return Scope(RESERVED, self._offered, None, self._line_for(task))
        if not task.context:
            return Scope(RESERVED, self._offered, self._can_import(task), self._line_for(task))
        added = self._names.get(task.context)
        # What the Python of an application can import is not known here.
        return Scope(None if added is None else RESERVED | added)

    def _line_for(self, task: Task) -> Callable[[str], str | None] | None:
        """Return what returns the line that grants an import; None for a task that is not held."""
        if not task.permissions.is_held:
            return None

        def line_for(name: str) -> str | None:
            of_lib = PathFinder.find_spec(name.partition(".")[0], [f"{self._root}/lib"])
            return None if of_lib is not None else task.permissions.line_for_import(name)

        return line_for

    def _can_import(self, task: Task) -> Callable[[str], bool]:
        """Return what says whether a run of a task can import a module (`execution/child/child.py`)."""
        own = dict(task.env).get("PYTHONPATH", "").split(":")
        paths = [*(os.path.join(self._root, path) for path in own if path), *sys.path[1:], f"{self._root}/lib"]

        def can_import(name: str) -> bool:
            finders = (BuiltinImporter, FrozenImporter)
            if any(finder.find_spec(name) is not None for finder in finders):
                return True
            return PathFinder.find_spec(name, paths) is not None

        return can_import


def _names_of(context: Context, state: str) -> frozenset[str] | None:
    """Return the names that a context adds to those of every task.

    Where its set-up decides them, they stand in the file that `runner contexts check` writes.
    """
    named = frozenset(name for name, _ in context.names)
    if context.settings and not context.has_all_models:
        return named
    try:
        with open(f"{state}/contexts/{context.name}.json", encoding="utf-8") as file:
            found = json.load(file)["names"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return named.union(found) if isinstance(found, list) and all(isinstance(name, str) for name in found) else None
