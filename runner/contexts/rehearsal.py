"""A rehearsal: a run of a Django task whose changes are counted, and rolled back at its end.

Every database that the code uses stands in one transaction. Measured: a write through another connection, from another
thread (as async queries make it) or from a forked process would be committed. So no other connection may be opened.
"""

from __future__ import annotations

import json
import mmap
import os
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.mail.backends import locmem, smtp
from django.db import connections
from django.db.backends.signals import connection_created

from runner.contexts.rehearsed_connection import KINDS, RehearsedConnection
from runner.execution.child.application import Left

_IN_MEMORY = "django.core.mail.backends.locmem.EmailBackend"
#: Bytes of the JSON. The message in which it goes has to fit into a pipe.
_LONGEST = 8_000
#: How many mails, hooks and models are listed.
_MOST_LISTED = 50
_LONGEST_NAME = 200
_ALWAYS = ("files, and other services that the code calls", "what other programs do that the code starts")


class NotRolledBack(Exception):  # noqa: N818 - people read this name as the reason of their run
    """Code in a rehearsal has done what cannot be rolled back. It is raised before that happens."""

    __module__ = "runner"


class Rehearsal:
    """One transaction for each database, from its first use to `end`."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._failure = ""
        self._is_complete = True
        #: Memory that forked processes share: they set its byte when they use a database.
        self._used_by_forks = mmap.mmap(-1, 1)
        self._own = {alias: RehearsedConnection(connections[alias], self._fail) for alias in connections}
        self._keep_mail()
        connection_created.connect(self._begin_or_refuse, weak=False)
        os.register_at_fork(after_in_child=self._forget_connections)

    @staticmethod
    def _keep_mail() -> None:
        """Keep mail in memory: that of the configured backends, and that for which the code names SMTP itself."""
        if hasattr(settings, "MAILERS"):  # since Django 6.1
            settings.MAILERS = {alias: {"BACKEND": _IN_MEMORY} for alias in settings.MAILERS}
        else:
            settings.EMAIL_BACKEND = _IN_MEMORY
        mail.outbox = []
        smtp.EmailBackend.send_messages = locmem.EmailBackend.send_messages

    def _begin_or_refuse(self, connection: Any, **_: object) -> None:
        """Begin the transaction of a database at its first use; refuse a second connection: it would be committed."""
        own = self._own.get(connection.alias)
        is_fork = os.getpid() != self._pid
        if own is not None and own.connection is connection and own.handle is None and not is_fork:
            own.begin(locks=not self._is_begun(str(connection.settings_dict["NAME"])))
            return
        if is_fork:
            self._used_by_forks[0] = 1
        connection.close()
        who = "a process that the code has forked" if is_fork else "another thread (async queries use one) or a copy"
        self._fail(f"{who} opened a second connection to the database `{connection.alias}`")

    def _is_begun(self, name: str) -> bool:
        """Return whether another alias has begun a transaction in the database of this name: it has the lock."""
        return any(str(own.connection.settings_dict["NAME"]) == name for own in self._begun())

    def _begun(self) -> list[RehearsedConnection]:
        return [own for own in self._own.values() if own.handle is not None]

    def _fail(self, failure: str) -> None:
        self._failure = self._failure or f"{failure}: what it writes cannot be rolled back"
        raise NotRolledBack(self._failure)

    def _forget_connections(self) -> None:
        """Take the connections from a forked process, which shares them: it would have to open its own."""
        for own in self._begun():
            own.connection.connection = None  # `own.handle` keeps it, so that nothing closes it

    def end(self) -> Left:
        """Roll everything back; return what would have changed."""
        connection_created.disconnect(self._begin_or_refuse)
        without = [name for own in self._begun() for name in _not_transactional(own.connection)]
        for own in self._begun():
            if not own.end():
                self._is_complete = False
                ended = f"the code has ended the transaction of the database `{own.connection.alias}` itself"
                self._failure = self._failure or ended
        if self._used_by_forks[0]:
            self._failure = self._failure or "a process that the code has forked used a database on its own"
        return Left(self._as_json(without), self._failure)

    def _as_json(self, without: list[str]) -> str:
        """Return the report as JSON, with fewer mails, hooks and models where it would be too long."""
        listed = _MOST_LISTED
        while True:
            text = json.dumps(self._report(without, listed), ensure_ascii=False)
            if len(text.encode()) <= _LONGEST or not listed:
                return text
            listed //= 2

    def _report(self, without: list[str], listed: int) -> dict[str, Any]:
        outbox = getattr(mail, "outbox", [])
        hooks = [_name(hook) for own in self._begun() for hook in own.hooks]
        return {
            "complete": self._is_complete,
            "changes": self._changes()[:listed],
            "on_commit": len(hooks),
            "on_commit_hooks": hooks[:listed],
            "mail": [
                {"subject": _cut(it.subject), "to": [_cut(to) for to in it.recipients()]} for it in outbox[:listed]
            ],
            "mails": len(outbox),
            "not_undone": [*_ALWAYS, *self._sequences(), *without][: len(_ALWAYS) + listed],
        }

    def _changes(self) -> list[dict[str, Any]]:
        """Return how many rows of each model were created, changed and deleted; of a table where it has no model."""
        labels = {model._meta.db_table: model._meta.label for model in _all_models()}  # noqa: SLF001 - documented
        return [
            {"model": labels.get(table, table), **{kind: counts.get(kind, 0) for kind in dict.fromkeys(KINDS.values())}}
            for own in self._begun()
            for table, counts in own.counts.items()
            if any(counts.values())
        ]

    def _sequences(self) -> list[str]:
        """Return the sentence about sequences, which keep their numbers in PostgreSQL, MariaDB and Oracle."""
        others = [own.connection for own in self._begun() if own.connection.vendor != "sqlite"]
        kept = sorted({connection.display_name for connection in others})
        return [f"the numbers of new rows, which {' and '.join(kept)} will not use again"] if kept else []


def _all_models() -> list[Any]:
    return list(apps.get_models(include_auto_created=True))


def _name(hook: Any) -> str:
    """Return the name of a function that was registered with `on_commit`, as it stands in its module."""
    inner = getattr(hook, "func", hook)  # functools.partial
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    return _cut(f"{getattr(inner, '__module__', '')}.{name}".strip("."))


def _cut(text: object) -> str:
    return str(text)[:_LONGEST_NAME]


def _not_transactional(connection: Any) -> list[str]:
    """Return what names a database, or tables of it, without transactions."""
    if not connection.features.supports_transactions:
        return [f"the database `{connection.alias}`, which has no transactions"]
    if connection.vendor != "mysql":
        return []
    sql = (
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        " AND table_type = 'BASE TABLE' AND engine NOT IN ('InnoDB', 'ROCKSDB') ORDER BY table_name"
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            tables = [row[0] for row in cursor.fetchall()]
    except Exception:  # noqa: BLE001 - the transaction may be broken: then this cannot be asked
        return []
    driver = "what `commit()` of the driver's own connection has written"
    return [driver, *(f"the table {table} of `{connection.alias}`, which has no transactions" for table in tables)]
