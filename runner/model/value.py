"""Values without `dataclasses`: what the process that forks children holds must be small, and quick to load (DESIGN §10)."""

from __future__ import annotations

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Self


class Value:
    """Compares and prints by its slots, which every subclass sets in its own `__init__`, and never again."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.__slots__))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"

    def but(self, **changes: object) -> Self:
        """Return the value with some of its slots changed."""
        return type(self)(**{name: getattr(self, name) for name in self.__slots__} | changes)
