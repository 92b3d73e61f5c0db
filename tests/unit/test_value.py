"""Values: made, compared, printed, pickled and replaced like frozen dataclasses, and refused like these."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from runner.value import Value, as_dict, replace


class Point(Value):
    """A value with a default."""

    x: int
    y: int
    name: str = "a point"


class Other(Value):
    """Another kind of value with the same names."""

    x: int
    y: int
    name: str = "a point"


def _any(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what type checkers do not look at: it is called as it must not be."""
    return make


@pytest.mark.parametrize(
    ("given", "named"),
    [((1, 2), {}), ((1,), {"y": 2}), ((), {"y": 2, "x": 1}), ((1, 2, "a point"), {}), ((1, 2), {"name": "a point"})],
)
def test_names_are_given_by_place_or_by_name_and_are_else_their_defaults(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    made = _any(Point)(*given, **named)

    assert as_dict(made) == {"x": 1, "y": 2, "name": "a point"}
    assert repr(made) == "Point(x=1, y=2, name='a point')"


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), ((1,), {}), ((1, 2, "a", 4), {}), ((1, 2), {"x": 1}), ((1, 2), {"z": 1}), ((1,), {"name": "a"})],
)
def test_a_name_that_is_missing_unknown_or_given_twice_is_refused(
    given: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match="Point takes x, y, name"):
        _any(Point)(*given, **named)


def test_values_of_one_kind_are_equal_where_their_names_are() -> None:
    assert Point(1, 2) == Point(1, 2)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert Point(1, 2) != Point(2, 1)
    assert _any(Point)(1, 2) != Other(1, 2)


def test_a_value_does_not_change_and_another_one_is_made_of_it() -> None:
    point = Point(1, 2)

    with pytest.raises(AttributeError, match="x of a Point does not change"):
        setattr(point, "x", 3)  # noqa: B010 - as a type checker does not let it be written
    with pytest.raises(AttributeError):
        del point.x
    with pytest.raises(AttributeError):
        setattr(point, "z", 3)  # noqa: B010
    assert (replace(point, x=3), point) == (Point(3, 2), Point(1, 2))
    with pytest.raises(TypeError):
        _any(replace)(point, z=3)


def test_a_value_comes_back_from_another_process_as_it_was() -> None:
    assert pickle.loads(pickle.dumps(Point(1, 2, "there"))) == Point(1, 2, "there")  # noqa: S301 - our own bytes
