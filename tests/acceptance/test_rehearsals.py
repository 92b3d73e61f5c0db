"""A run with `rollback` changes nothing, says what it would have changed, and fails where it cannot be undone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import databases, mariadb, postgres
from tests.support.django import VERSIONS, Application
from tests.support.project import NOON, Project


@pytest.fixture(params=VERSIONS)
def app(request: pytest.FixtureRequest, project: Project) -> Application:
    return Application.create(project, request.param)


def _rehearse(app: Application, code: str) -> dict[str, Any]:
    app.project.task("change", code, context="django", rollback=True)
    app.project.commit()
    app.project.runner("run", "change", now=NOON)
    shown: dict[str, Any] = app.project.json("show", "change")
    return shown


_CHANGES = """\
from django.core.mail import send_mail
from django.db import transaction
ada = User.objects.create(username="ada")
bob = User.objects.create(username="bob")
ada.email = "ada@example.org"
ada.save()
ada.groups.add(Group.objects.create(name="staff"))
def notify(): print("the hook has run")
transaction.on_commit(notify)
with transaction.atomic(durable=True):
    User.objects.filter(username="bob").update(first_name="Bob")
    transaction.on_commit(notify)
bob.delete()
User.objects.bulk_create([User(username=f"user-{number}") for number in range(7)])
send_mail("Hello", "text", "me@example.org", ["ada@example.org"])
print(User.objects.count(), "users")
"""


def test_a_rehearsal_counts_by_model_and_changes_nothing(app: Application) -> None:
    shown = _rehearse(app, _CHANGES)

    _assert_that_all_is_counted(shown)
    assert app.users() == []


def _assert_that_all_is_counted(shown: dict[str, Any]) -> None:
    assert shown["status"] == "succeeded", shown["output"]
    assert shown["output"] == "8 users\n"
    rollback = shown["rollback"]
    assert isinstance(rollback, dict)
    assert {row["model"]: (row["created"], row["changed"], row["deleted"]) for row in rollback["changes"]} == {
        "auth.User": (9, 2, 1),
        "auth.Group": (1, 0, 0),
        "auth.User_groups": (1, 0, 0),
    }
    assert (rollback["on_commit"], rollback["on_commit_hooks"]) == (2, ["__main__.notify"] * 2)
    assert rollback["mail"] == [{"subject": "Hello", "to": ["ada@example.org"]}]
    assert rollback["not_undone"]


def test_mail_for_which_the_code_names_smtp_itself_is_kept_too(app: Application) -> None:
    code = (
        "from django.core.mail import EmailMessage\nfrom django.core.mail.backends.smtp import EmailBackend\n"
        "from django.conf import settings\nown = {'alias': 'own'} if hasattr(settings, 'MAILERS') else {}\n"
        "message = EmailMessage('Hello', 'text', 'me@example.org', ['ada@example.org'])\n"
        "print(EmailBackend(host='127.0.0.1', port=1, **own).send_messages([message]))"
    )

    shown = _rehearse(app, code)

    assert (shown["status"], shown["output"]) == ("succeeded", "1\n")
    assert shown["rollback"]["mail"] == [{"subject": "Hello", "to": ["ada@example.org"]}]


#: Code that would commit under a naive `atomic` that is rolled back.
_ESCAPES = {
    "async": 'import asyncio\nasync def go():\n    await User.objects.acreate(username="x")\nasyncio.run(go())',
    "a thread": (
        "import threading\nthread = threading.Thread(target=lambda: User.objects.create(username='x'))\n"
        "thread.start()\nthread.join()"
    ),
    "a pool whose error is swallowed": (
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n"
        "    print(pool.submit(lambda: User.objects.create(username='x')).exception())"
    ),
    "a copied connection": (
        "from django.db import connection\ncopy = connection.copy()\n"
        "copy.cursor().execute(\"INSERT INTO auth_group (name) VALUES ('x')\")"
    ),
    "a fork": (
        "import os\npid = os.fork()\nif not pid:\n    try:\n        User.objects.create(username='x')\n"
        "    finally:\n        os._exit(0)\nos.waitpid(pid, 0)"
    ),
    "multiprocessing": (
        "import multiprocessing\ndef write(): User.objects.create(username='x')\n"
        "child = multiprocessing.get_context('fork').Process(target=write)\nchild.start()\nchild.join()"
    ),
    "a raw COMMIT": (
        "from django.db import connection\nUser.objects.create(username='x')\nconnection.cursor().execute('COMMIT')"
    ),
}


@pytest.mark.parametrize("kind", _ESCAPES)
def test_a_write_that_would_escape_the_transaction_fails_the_run_and_is_not_there(app: Application, kind: str) -> None:
    shown = _rehearse(app, _ESCAPES[kind])

    assert shown["status"] == "failed"
    assert "NotRolledBack" in str(shown["reason"])
    assert app.users() == []


def test_a_commit_on_the_drivers_own_connection_fails_the_run_and_is_called_incomplete(app: Application) -> None:
    shown = _rehearse(
        app, "from django.db import connection\nUser.objects.create(username='x')\nconnection.connection.commit()"
    )

    assert (shown["status"], shown["rollback"]["complete"]) == ("failed", False)
    assert "the code has ended the transaction of the database `default` itself" in str(shown["reason"])


#: Code that behaves as it does without a rehearsal → what it prints.
_FAITHFUL = {
    "an error that is caught undoes one statement": (
        (
            "from django.db import IntegrityError\nUser.objects.create(username='x')\ntry:\n"
            "    User.objects.create(username='x')\nexcept IntegrityError:\n    pass\nprint(User.objects.count())"
        ),
        "1\n",
    ),
    "an outermost transaction is undone as a whole": (
        (
            "from django.db import transaction\ntry:\n    with transaction.atomic():\n"
            "        User.objects.create(username='x')\n        raise ValueError\nexcept ValueError:\n    pass\n"
            "print(User.objects.count())"
        ),
        "0\n",
    ),
    "a savepoint is undone alone": (
        (
            "from django.db import transaction\nwith transaction.atomic():\n    User.objects.create(username='x')\n"
            "    try:\n        with transaction.atomic():\n            User.objects.create(username='y')\n"
            "            raise ValueError\n    except ValueError:\n        pass\nprint(User.objects.count())"
        ),
        "1\n",
    ),
    "without autocommit, one transaction follows another": (
        (
            "from django.db import transaction\ntransaction.set_autocommit(False)\n"
            "User.objects.create(username='a')\ntransaction.commit()\n"
            "User.objects.create(username='b')\ntransaction.rollback()\n"
            "User.objects.create(username='c')\ntransaction.commit()\n"
            "User.objects.create(username='d')\ntransaction.commit()\ntransaction.set_autocommit(True)\n"
            "print(*User.objects.values_list('username', flat=True).order_by('pk'))"
        ),
        "a c d\n",
    ),
    "rows are read one by one, and locked": (
        (
            "from django.db import transaction\nUser.objects.create(username='a')\n"
            "print(*[user.username for user in User.objects.iterator(chunk_size=1)])\n"
            "with transaction.atomic():\n    print(User.objects.select_for_update().count())"
        ),
        "a\n1\n",
    ),
    "many rows are sent at once, without models": (
        (
            "from django.db import connection\nwith connection.cursor() as cursor:\n"
            "    cursor.executemany('INSERT INTO auth_group (name) VALUES (%s)', [['a'], ['b']])\n"
            "    cursor.execute('SELECT count(*) FROM auth_group')\n    print(cursor.fetchone()[0])"
        ),
        "2\n",
    ),
    "a closed connection is opened again": (
        (
            "from django.db import connection\nUser.objects.create(username='x')\nconnection.close()\n"
            "print(User.objects.count())"
        ),
        "1\n",
    ),
}


@pytest.mark.parametrize("kind", _FAITHFUL)
def test_code_behaves_in_a_rehearsal_as_it_does_without_one(app: Application, kind: str) -> None:
    code, output = _FAITHFUL[kind]
    shown = _rehearse(app, code)

    assert (shown["status"], shown["output"]) == ("succeeded", output)
    assert app.users() == []

    app.project.task("change", code, context="django")
    app.project.commit()
    assert app.project.runner("run", "change", now=NOON).stdout == output


@pytest.fixture(params=databases.SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[databases.Creator]:
    with databases.server(request.param) as creator:
        yield creator


def test_on_a_server_too_a_rehearsal_counts_by_model_and_nothing_escapes_it(
    app: Application, server: databases.Creator
) -> None:
    app.use_database(server("ticketing"))

    _assert_that_all_is_counted(_rehearse(app, _CHANGES))
    for kind, code in _ESCAPES.items():
        assert "NotRolledBack" in str(_rehearse(app, code)["reason"]), kind
    for kind, (code, output) in _FAITHFUL.items():
        shown = _rehearse(app, code)
        assert (shown["status"], shown["output"]) == ("succeeded", output), kind
    assert _rehearse(app, "print(User.objects.count(), Group.objects.count())")["output"] == "0 0\n"


_CREATE = "from django.db import connection\nwith connection.cursor() as cursor:\n    cursor.execute('CREATE {}')"


@postgres.needs_postgres
def test_on_postgresql_new_tables_are_rolled_back_too_and_the_numbers_of_new_rows_are_named(app: Application) -> None:
    code = _CREATE.format("TABLE extra (number int)")
    with databases.server("postgresql") as create:
        app.use_database(create("ticketing"))
        shown, again = _rehearse(app, code), _rehearse(app, code)

    assert (shown["status"], again["status"]) == ("succeeded", "succeeded"), again["output"]
    assert "the numbers of new rows, which PostgreSQL will not use again" in shown["rollback"]["not_undone"]


@mariadb.needs_mariadb
def test_on_mariadb_statements_that_commit_are_refused_and_tables_without_transactions_are_named(
    app: Application,
) -> None:
    with databases.server("mariadb") as create:
        app.use_database(create("ticketing"))
        shown = _rehearse(app, _CREATE.format("TABLE extra (number int)"))
        app.project.task("table", _CREATE.format("TABLE old (number int) ENGINE=MyISAM"), context="django")
        app.project.commit()
        assert app.project.runner("run", "table", now=NOON).returncode == 0
        named = _rehearse(app, "User.objects.create(username='x')")["rollback"]["not_undone"]

    assert "MariaDB commits at the statement CREATE" in str(shown["reason"])
    assert "the table old of `default`, which has no transactions" in named


def test_every_database_of_the_project_stands_in_a_transaction(app: Application) -> None:
    app.add_settings("DATABASES['second'] = {**DATABASES['default'], 'NAME': BASE_DIR / 'second.sqlite3'}")
    shutil.copy(app.folder / "db.sqlite3", app.folder / "second.sqlite3")
    code = "for alias in ('default', 'second'):\n    User.objects.using(alias).create(username='x')"

    shown = _rehearse(app, code)
    left = _rehearse(app, "print(User.objects.count(), User.objects.using('second').count())")

    assert [row["created"] for row in shown["rollback"]["changes"]] == [1, 1], shown["output"]
    assert left["output"] == "0 0\n"


def test_two_aliases_of_one_database_can_be_rehearsed(app: Application) -> None:
    app.add_settings("DATABASES['replica'] = {**DATABASES['default']}")

    shown = _rehearse(app, "User.objects.create(username='x')\nprint(User.objects.using('replica').count())")

    assert (shown["status"], shown["output"]) == ("succeeded", "0\n")
    assert app.users() == []


def test_a_database_that_the_code_does_not_use_need_not_answer(app: Application) -> None:
    app.add_settings(
        "DATABASES['other'] = {'ENGINE': 'django.db.backends.postgresql', 'HOST': '/nothere', 'NAME': 'x'}"
    )

    shown = _rehearse(app, "User.objects.create(username='x')")

    assert (shown["status"], shown["rollback"]["changes"][0]["created"]) == ("succeeded", 1)


def test_a_rehearsal_on_sqlite_can_write_though_another_program_wanted_to_write_after_its_first_query(
    app: Application,
) -> None:
    code = (
        "import sqlite3\nUser.objects.count()\n"
        f"with sqlite3.connect({str(app.folder / 'db.sqlite3')!r}, timeout=0) as other:\n"
        "    try:\n        other.execute('BEGIN IMMEDIATE')\n"
        "    except sqlite3.OperationalError as error:\n        print(error)\nUser.objects.create(username='x')"
    )

    shown = _rehearse(app, code)

    assert (shown["status"], shown["output"]) == ("succeeded", "database is locked\n")
    assert [row["created"] for row in shown["rollback"]["changes"]] == [1]


def test_run_rollback_rehearses_any_task_of_a_django_project_and_says_what_it_would_do(app: Application) -> None:
    app.project.task("change", "User.objects.create(username='x')", context="django")
    app.project.commit()

    done = app.project.runner("run", "change", "--rollback", now=NOON)

    assert done.returncode == 0
    assert "nothing was changed: this run was a rehearsal" in done.stderr
    assert "auth.User: created 1" in done.stderr
    assert app.users() == []


def test_a_task_without_a_django_project_cannot_be_rehearsed(app: Application) -> None:
    app.project.task("plain", "print(1)")
    app.project.commit()

    done = app.project.runner("run", "plain", "--rollback", now=NOON)

    assert (done.returncode, app.project.runs()) == (2, [])
    assert done.stderr.startswith("error: the task plain cannot be rehearsed: ")
