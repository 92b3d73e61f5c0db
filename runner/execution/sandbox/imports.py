"""Refuse `import` statements of a task's code for modules that it was not granted.

This is a guard rail, and no wall: code can reach modules in other ways. What a module could do is held by the kernel.
"""

from __future__ import annotations

import builtins
import os

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from runner.model.job import Job


class NotGrantedError(ImportError):
    """A module was not granted. `line` is the line of the task file that grants it."""

    def __init__(self, name: str, line: str) -> None:
        super().__init__(f"the module `{name}` is not granted to this task", name=name)
        self.line = line


NotGrantedError.__name__ = NotGrantedError.__qualname__ = "ImportError"
NotGrantedError.__module__ = "builtins"


def refuse(name: str, line: str) -> None:
    """Raise NotGrantedError."""
    raise NotGrantedError(name, line)


def watch_imports(job: Job, found: Callable[[str, str], None] = refuse) -> None:
    """Check each import statement of the code from now on, also of modules that are loaded already.

    `found` is called with each module that is not granted, and with the line that grants it.
    """
    plain, granted = builtins.__import__, job.permissions
    lib = f"{job.root}/lib"

    def checked(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002 - as Python calls it
        locals: Mapping[str, object] | None = None,  # noqa: A002 - as above
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and globals is not None and globals.get("__name__") == "__main__":
            line = granted.line_for_import(name)
            if line is not None and not _is_in(lib, name.partition(".")[0]):
                found(name, line)
        return plain(name, globals, locals, fromlist or (), level)

    builtins.__import__ = checked


def _is_in(folder: str, module: str) -> bool:
    return os.path.exists(f"{folder}/{module}.py") or os.path.isdir(f"{folder}/{module}")
