"""Find the objects that dotted paths name."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Iterable


class ContextError(Exception):
    """An application that cannot be brought into scope, for a reason that names what to change."""


def find(path: str) -> object:
    """Return the object at a dotted path: a module, or an attribute of one. Raises ContextError.

    An error of the module's own code is not caught: its traceback says where it is.
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        try:
            found: object = import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                continue
            raise
        return _attribute(found, parts[length:], path)
    raise ContextError(f"there is no module `{parts[0]}`: check `path` of the context, and its Python")


def _attribute(found: object, names: Iterable[str], path: str) -> object:
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            raise ContextError(f"there is no `{path}`: `{getattr(found, '__name__', found)}` has no `{name}`") from None
    return found


def find_all(names: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return the objects in scope by their names. Raises ContextError."""
    return {name: find(path) for name, path in names}
