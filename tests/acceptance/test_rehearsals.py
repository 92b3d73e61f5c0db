"""A run with `rollback` changes nothing, says what it would have changed, and fails where it cannot be undone."""

from __future__ import annotations

from typing import Any

import pytest

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
    assert app.users() == []


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
