"""Values: classes whose names are declared with their types, set once, and compared. Frozen dataclasses, but quick to make.

`dataclasses` writes six methods for each class and compiles them, and loads `inspect`: for thirty classes that was half of what
a tick with something due takes to load (docs/decisions/0024-values.md). Here all classes share the same methods.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import replace as replace  # noqa: PLC0414 - type checkers know what it does, and check its names
    from typing import Any, NoReturn, dataclass_transform
else:

    def dataclass_transform(**_):  # noqa: ANN003, ANN201 - see above
        """Do nothing: it speaks to type checkers."""
        return lambda kind: kind

    def replace(value, **changes):  # noqa: ANN001, ANN003, ANN201 - see above
        """Return a value with some of its names set to something else."""
        return type(value)(**as_dict(value) | changes)


class _Declared(type):
    """Makes slots of the names that a class declares, and keeps what they are where nobody says."""

    __fields__: tuple[str, ...]
    __defaults__: Mapping[str, Any]

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Declared:
        names = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in names if field in namespace}
        made = super().__new__(cls, name, bases, namespace | {"__slots__": names})
        made.__fields__, made.__defaults__ = names, defaults
        return made


_set = object.__setattr__


@dataclass_transform(frozen_default=True)
class Value(metaclass=_Declared):
    """What a subclass declares is given by place or by name, and never changed; `replace` makes another value of one."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """Set every name to what is given, or to its default. Raises TypeError for one that is missing, unknown or given twice."""
        kind = type(self)
        if not named and len(given) == len(kind.__fields__):
            for name, value in zip(kind.__fields__, given, strict=True):
                _set(self, name, value)
            return
        placed = dict(zip(kind.__fields__, given, strict=False))
        values = {**kind.__defaults__, **placed, **named}
        if len(given) > len(kind.__fields__) or placed.keys() & named.keys() or values.keys() != {*kind.__fields__}:
            raise TypeError(f"{kind.__name__} takes {', '.join(kind.__fields__)}, and got {len(given)} and {[*named]}")
        for name, value in values.items():
            _set(self, name, value)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).__fields__)

    def __hash__(self) -> int:
        return hash(tuple(as_dict(self).values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in as_dict(self).items())})"

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), tuple(as_dict(self).values())

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} does not change")

    __delattr__ = __setattr__  # type: ignore[assignment]


def as_dict(value: Value) -> dict[str, Any]:
    """Return the names of a value in the order in which they are declared, each with what it is set to."""
    return {name: getattr(value, name) for name in type(value).__fields__}
