"""The part of the standard library that the code of every task may import, and why the rest is left out."""

from __future__ import annotations

from sys import stdlib_module_names

#: The modules that a task has to be granted by `permissions: imports: [NAME]`, each with the reason.
LEFT_OUT = {
    "_ctypes": "calls any function of the process, past all checks of Python",
    "ctypes": "calls any function of the process, past all checks of Python",
    "gc": "reaches every object of the process",
    "importlib": "imports modules in other ways than by a statement",
    "pkgutil": "imports modules in other ways than by a statement",
    "runpy": "imports modules in other ways than by a statement",
    "imp": "imports modules in other ways than by a statement",
    "zipimport": "imports modules in other ways than by a statement",
    "code": "waits for input, which a task has not",
    "pdb": "waits for input, which a task has not",
    "cmd": "waits for input, which a task has not",
    "curses": "needs a terminal, which a task has not",
    "_curses": "needs a terminal, which a task has not",
    "readline": "needs a terminal, which a task has not",
    "tkinter": "needs a screen, which a task has not",
    "_tkinter": "needs a screen, which a task has not",
    "turtle": "needs a screen, which a task has not",
    "turtledemo": "needs a screen, which a task has not",
    "idlelib": "needs a screen, which a task has not",
    "ensurepip": "installs packages, which is not the work of a task",
    "venv": "installs packages, which is not the work of a task",
    "antigravity": "starts a browser",
    "webbrowser": "starts a browser",
}
#: The modules that `subprocess: true` grants: nothing can be started with them otherwise.
STARTING = frozenset({"subprocess", "_posixsubprocess", "pty"})


def is_safe(module: str) -> bool:
    """Return whether every task may import a top-level module."""
    return module in stdlib_module_names and module not in LEFT_OUT and module not in STARTING
