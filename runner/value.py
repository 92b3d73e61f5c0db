"""The base class of values: immutable objects with declared fields, like frozen dataclasses that load faster.

`dataclasses` generates and compiles six methods for each class, and imports `inspect`. For thirty classes that took
half of the load time of a tick with something due (docs/decisions/0024-values.md). Here all classes share the same
methods.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import replace as replace  # noqa: PLC0414 - so type checkers check the names of its arguments
    from typing import Any, NoReturn, dataclass_transform
else:

    def dataclass_transform(**_):  # noqa: ANN003, ANN201 - see above
        """Return a decorator that returns its class. Only type checkers use it (PEP 681)."""
        return lambda kind: kind

    def replace(value, **changes):  # noqa: ANN001, ANN003, ANN201 - see above
        """Return a copy of a value with some of its fields changed."""
        return type(value)(**as_dict(value) | changes)


class _Declared(type):
    """The metaclass of values: makes a slot of each declared field, and keeps the defaults."""

    __fields__: tuple[str, ...]
    __defaults__: Mapping[str, Any]
    #: The setter of each field's slot, in the order of the fields. They bypass `__setattr__`, and save looking up the
    #: name.
    __setters__: tuple[Callable[[object, Any], None], ...]

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _Declared:
        names = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in names if field in namespace}
        value_class = super().__new__(cls, name, bases, namespace | {"__slots__": names})
        value_class.__fields__, value_class.__defaults__ = names, defaults
        value_class.__setters__ = tuple(value_class.__dict__[field].__set__ for field in names)
        return value_class

    def bind(cls, given: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Return the value of every field, from positional arguments, keyword arguments and defaults.

        Raises TypeError if an argument is missing, unknown or given twice.
        """
        rest = cls.__fields__[len(given) :]
        known = {**cls.__defaults__, **named}
        try:
            values = [*given, *[known[name] for name in rest]]
        except KeyError:
            values = []
        if len(values) != len(cls.__fields__) or not named.keys() <= {*rest}:
            raise TypeError(f"{cls.__name__} takes {', '.join(cls.__fields__)}, and got {len(given)} and {[*named]}")
        return values


@dataclass_transform(frozen_default=True)
class Value(metaclass=_Declared):
    """An immutable object whose fields are the annotated names of its class. `replace` makes a changed copy."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """Set every field to its argument or its default. Raises TypeError as `bind` does."""
        cls = type(self)
        values = cls.bind(given, named) if named or len(given) != len(cls.__fields__) else given
        for set_field, value in zip(cls.__setters__, values, strict=True):
            set_field(self, value)

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

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name} of a {type(self).__name__} does not change")


def as_dict(value: Value) -> dict[str, Any]:
    """Return the fields of a value by name, in the order of their declaration."""
    return {name: getattr(value, name) for name in type(value).__fields__}
