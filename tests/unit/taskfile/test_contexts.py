"""The contexts of `runner.yaml`: what they are read as, and what is said, where, of those that are not valid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runner.model.context import Context, pack_context, unpack_context
from runner.model.permissions import Permissions
from runner.taskfile.compiler import compile_settings

_FULL = """\
contexts:
  django:
    path: ../app
    python: ../app/.venv/bin/python
    settings: ticketing.settings
    env_file: ../app/.env
    names: {User: django.contrib.auth.models.User}
    models: all
    language: es
    max_parallel: 5
    timeout: 90s
    digest: ../app/REVISION
    permissions: {network: [5432], read: [data]}
  shop: {path: /srv/shop, setup: "shop.tasks:setup"}
defaults: {context: django}
"""
_DJANGO = Context(
    name="django",
    path="../app",
    settings="ticketing.settings",
    python="../app/.venv/bin/python",
    env_file="../app/.env",
    names=(("User", "django.contrib.auth.models.User"),),
    has_all_models=True,
    language="es",
    max_parallel=5,
    timeout=timedelta(seconds=90),
    digest="../app/REVISION",
    permissions=Permissions(is_held=True, ports=(5432,), read=("data",)),
)


def test_every_key_of_a_context_is_read() -> None:
    settings, problems = compile_settings(_FULL.encode())

    assert problems == ()
    assert settings is not None
    assert settings.contexts == (_DJANGO, Context("shop", "/srv/shop", setup="shop.tasks:setup"))
    assert settings.context == "django"


def test_a_context_is_the_same_after_it_was_stored() -> None:
    assert unpack_context(pack_context(_DJANGO)) == _DJANGO


#: The keys of a context → the line, the column and the message of the one problem.
_FAULTS = {
    "{path: ../app}": (2, 3, "the context `app` needs `settings` or `setup`"),
    "{settings: a.b}": (2, 8, "`path` is missing"),
    "{path: a, settings: a.b, setup: 'a:b'}": (2, 33, "a context has `settings` or `setup`, not both"),
    "{path: a, setup: 'a:b', models: all}": (2, 32, "`models` is for Django projects, which have `settings`"),
    "{path: a, setup: 'a:b', language: es}": (2, 32, "`language` is for Django projects, which have `settings`"),
    "{path: a, setup: a}": (2, 25, "`contexts.app.setup` is 'a', which does not fit"),
    "{path: a, settings: a b}": (2, 28, "`contexts.app.settings` is 'a b', which does not fit"),
    "{path: a, settings: a, timeout: 0s}": (2, 40, "a timeout of 0s would end every set-up at once"),
    "{path: a, settings: a, timeout: 11m}": (2, 40, "`timeout` is 11m; a set-up may take 10m at most"),
    "{path: a, settings: a, max_parallel: 0}": (2, 45, "`contexts.app.max_parallel` is 0; it must be at least 1"),
    "{path: a, settings: a, names: {task: a.b}}": (
        2,
        39,
        "`task` is in scope of every task, and a context may not replace it",
    ),
    "{path: a, settings: a, names: {class: a.b}}": (2, 39, "`class` is not a name that can be used here"),
    "{path: a, settings: a, names: {__x: a.b}}": (2, 39, "`__x` is not a name that can be used here"),
    "{path: a, settings: a, names: {A-B: a.b}}": (2, 39, "`A-B` is not a name that can be used here"),
    "{path: a, settings: a, names: {A: a-b}}": (2, 42, "`contexts.app.names.A` is 'a-b', which does not fit"),
    "{path: a, settings: a, modls: all}": (2, 31, "unknown key `modls`"),
}


@pytest.mark.parametrize("text", _FAULTS)
def test_a_fault_of_a_context_is_one_problem_at_its_place(text: str) -> None:
    settings, problems = compile_settings(f"contexts:\n  app: {text}\n".encode())

    assert settings is None
    assert [(it.line, it.column, it.message) for it in problems] == [_FAULTS[text]]


def test_no_context_can_be_called_as_tasks_call_none() -> None:
    [problem] = compile_settings(b"contexts:\n  none: {path: a, settings: a}\n")[1]

    assert (problem.line, problem.column) == (2, 3)
    assert problem.message == "`none` is what a task names in order to have no context"


def test_a_default_context_that_is_not_there_is_a_problem_with_the_nearest_name() -> None:
    text = "contexts:\n  django: {path: a, settings: a}\ndefaults:\n  context: djano\n"
    [problem] = compile_settings(text.encode())[1]

    assert (problem.line, problem.column, problem.hint) == (4, 12, "did you mean `django`?")
