"""A Django project: its set-up, its models in scope, and what a child does before and after the code."""

from __future__ import annotations

import os
from contextlib import suppress

from runner.contexts.leftovers import left_connection, left_thread, shared
from runner.contexts.objects import ContextError, find_all
from runner.contexts.run_end import run_bounded
from runner.contexts.task_zone import use_zone
from runner.execution.child.application import Left
from runner.model.context import RESERVED, Context

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from runner.contexts.rehearsal import Rehearsal
    from runner.model.job import Job


class DjangoApplication:
    """A Django project after its set-up (`runner.execution.child.application`)."""

    def __init__(self, context: Context, masked: Sequence[str]) -> None:
        self.masked = masked
        self.descriptors: frozenset[int] = frozenset()
        self.names: dict[str, object] = {}
        self._context = context
        self._rehearsal: Rehearsal | None = None

    def set_up(self) -> None:
        """Set up the project, find the names, and warm what each child needs. Raises ContextError."""
        os.environ["DJANGO_SETTINGS_MODULE"] = self._context.settings
        try:
            import django  # noqa: PLC0415 - the project's Django, which only a host has
        except ModuleNotFoundError as error:
            if error.name != "django":
                raise
            message = "its Python has no Django: set `python` of the context to that of the project"
            raise ContextError(message) from None
        django.setup()
        from django.utils import timezone  # noqa: PLC0415 - as above

        self.names = {"timezone": timezone, **_models(self._context), **find_all(self._context.names)}
        self._use_language()
        _warm()
        _close_connections()

    def _use_language(self) -> None:
        from django.conf import settings  # noqa: PLC0415 - only a host has Django
        from django.utils import translation  # noqa: PLC0415 - as above

        language = self._context.language or settings.LANGUAGE_CODE
        if self._context.language and not translation.check_for_language(language):
            raise ContextError(f"Django has no translations for `language: {language}`")
        translation.activate(language)

    def why_not_to_fork(self) -> str | None:
        """Return what the set-up has left and must not be there at a fork; None if all is well."""
        left = left_thread() or _open_connection() or left_connection(self.descriptors)
        return None if left is None else shared(left)

    def enter(self, job: Job) -> dict[str, object]:
        """Prepare a child for a job, and return the names in scope."""
        use_zone(job)
        if job.rollback:
            from runner.contexts.rehearsal import Rehearsal  # noqa: PLC0415 - only for rehearsals

            self._rehearsal = Rehearsal()
        return self.names

    def leave(self) -> Left:
        """Roll back a rehearsal, and return what it has found."""
        return Left() if self._rehearsal is None else self._rehearsal.end()

    def close(self, run_exit_handlers: Callable[[], None]) -> None:
        """Call the exit handlers, within a time limit, and close all connections."""
        run_bounded(run_exit_handlers)
        _close_connections()


def _models(context: Context) -> dict[str, object]:
    """Return all models by the names of their classes, if the context asks for them. Raises ContextError."""
    if not context.has_all_models:
        return {}
    from django.apps import apps  # noqa: PLC0415 - only a host has Django

    found: dict[str, list[Any]] = {}
    for model in apps.get_models():
        found.setdefault(model.__name__, []).append(model)
    chosen = {name for name, _ in context.names}
    clashes = [
        f"`{name}`: {' and '.join(f'{model.__module__}.{name}' for model in models)}"
        for name, models in sorted(found.items())
        if (len(models) > 1 or name in RESERVED) and name not in chosen
    ]
    if clashes:
        raise ContextError(f"models of the same name, {'; '.join(clashes)}: choose one of each in `names`")
    return {name: models[0] for name, models in found.items() if name not in chosen}


def _warm() -> None:
    """Do what the first query of each child would do, once: load the backends, and use all that makes a query.

    A child copies each page of memory that it changes: fewer, where this process has made a query before. A database
    that does not answer is left to the tasks, whose error says more.
    """
    from django.apps import apps  # noqa: PLC0415 - only a host has Django
    from django.db import connections  # noqa: PLC0415 - as above

    for connection in connections.all():
        with suppress(Exception), connection.cursor() as cursor:
            cursor.execute(f"SELECT 1{connection.features.bare_select_suffix}")
    model = next(iter(apps.get_models()), None)
    if model is not None:
        with suppress(Exception):
            # The index of the primary key answers both: this is quick however many rows there are.
            rows = model._base_manager.order_by("pk")  # noqa: SLF001 - each model has one (Django, "Managers")
            found = list(rows[:1])
            rows.filter(pk=found[0].pk if found else None).count()


def _close_connections() -> None:
    for connection in _connections():
        connection.close()
        if hasattr(connection, "close_pool"):  # PostgreSQL, since Django 5.1
            connection.close_pool()


def _open_connection() -> str | None:
    for connection in _connections():
        if connection.connection is not None:
            name = connection.settings_dict.get("NAME")
            return f"a connection to the database `{connection.alias}` ({connection.vendor}, {name})"
    return None


def _connections() -> Iterator[Any]:
    from django.db import connections  # noqa: PLC0415 - only a host has Django

    yield from connections.all(initialized_only=True)
