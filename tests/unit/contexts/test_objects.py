"""A dotted path names an object; where there is none, the error says which part is wrong."""

from __future__ import annotations

import collections.abc
import os.path

import pytest

from runner.contexts.objects import ContextError, find, find_all


def test_a_path_names_a_module_or_an_attribute_at_any_depth() -> None:
    assert find_all([("a", "os.path"), ("b", "os.path.join"), ("c", "collections.abc.Mapping.get")]) == {
        "a": os.path,
        "b": os.path.join,
        "c": collections.abc.Mapping.get,
    }


#: A path that names nothing → what the error says.
_WRONG = {
    "nothere": "there is no module `nothere`: check `path` of the context, and its Python",
    "nothere.models.User": "there is no module `nothere`: check `path` of the context, and its Python",
    "os.nothere": "there is no `os.nothere`: `os` has no `nothere`",
    "collections.abc.Nothing.get": "there is no `collections.abc.Nothing.get`: `collections.abc` has no `Nothing`",
}


@pytest.mark.parametrize("path", _WRONG)
def test_a_path_that_names_nothing_is_an_error_that_says_which_part(path: str) -> None:
    with pytest.raises(ContextError) as raised:
        find(path)

    assert str(raised.value) == _WRONG[path]
