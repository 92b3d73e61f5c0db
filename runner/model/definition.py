"""A task as plain data that JSON can hold. A new field of `Task` needs no change here."""

from __future__ import annotations

from datetime import timedelta

from runner.model.task import Task
from runner.value import Value, as_dict

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import Any

#: The fields that the store keeps in columns of their own, because decisions read them.
_APART = {"id", "schedule", "active", "policy", "context"}
_MILLISECOND = timedelta(milliseconds=1)
_DURATION = "milliseconds"


def definition_of(task: Task) -> dict[str, Any]:
    """Return the fields of a task without its id, its schedule, its policies and its context."""
    return {name: _plain(value) for name, value in as_dict(task).items() if name not in _APART}


def declared_by(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of `Task` from the plain data of `definition_of`."""
    kinds = {name: type(Task.__defaults__.get(name)) for name in Task.__fields__}
    return {name: _value(data, kinds[name]) for name, data in definition.items() if name in kinds}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return {_DURATION: value // _MILLISECOND}
    if isinstance(value, Value):
        return {name: _plain(item) for name, item in as_dict(value).items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _value(data: Any, kind: type) -> Any:
    if isinstance(data, list):
        return tuple(_value(item, object) for item in data)
    if not isinstance(data, dict):
        return data
    if data.keys() == {_DURATION}:
        return data[_DURATION] * _MILLISECOND
    # A runner of another day may have had other fields.
    known: tuple[str, ...] = vars(kind)["__fields__"]
    return kind(**{name: _value(item, object) for name, item in data.items() if name in known})
