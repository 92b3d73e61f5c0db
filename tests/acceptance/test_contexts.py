"""An application is set up once for a tick; each task runs in a child of its own with the names of the application."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support import databases, postgres
from tests.support.django import VERSIONS, Application
from tests.support.processes import background, is_alive
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until


@pytest.fixture
def app(project: Project) -> Application:
    return Application.create(project)


def _tick(app: Application) -> dict[str, Any]:
    app.project.commit()
    done = app.project.runner("tick", "--json", now=NOON)
    assert done.returncode == 0, done.stderr
    return {run["task"]: run for run in json.loads(done.stdout)["started"]}


def _output(app: Application, task: str) -> str:
    return app.project.show(app.project.runs(task)[0].run_id).output.decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_models_and_the_timezone_of_a_project_stand_in_scope(project: Project, version: str) -> None:
    app = Application.create(project, version)
    project.task(
        "users", "User.objects.create(username='ada')\nprint(User.objects.count(), timezone.__name__)", context="django"
    )

    assert _tick(app)["users"]["status"] == "succeeded", _output(app, "users")
    assert _output(app, "users") == "1 django.utils.timezone\n"
    assert app.users() == ["ada"]


def test_a_tick_sets_up_the_application_once_for_all_of_its_tasks(app: Application) -> None:
    app.add_settings("import os\nopen(BASE_DIR / 'set-ups', 'a').write(f'{os.getpid()}\\n')")
    for number in range(5):
        app.project.task(f"task-{number}", "import os\nprint(os.getppid(), os.getpid())", context="django")
    app.project.task("plain", "print('plain')")

    ended = _tick(app)

    assert {run["status"] for run in ended.values()} == {"succeeded"}
    [host] = (app.folder / "set-ups").read_text().split()
    pairs = [_output(app, f"task-{number}").split() for number in range(5)]
    assert {parent for parent, _ in pairs} == {host}
    assert len({child for _, child in pairs}) == 5


def test_a_context_for_all_tasks_is_not_that_of_a_task_which_wants_none(app: Application) -> None:
    with (app.project.root / "runner.yaml").open("a") as file:
        file.write("defaults: {context: django}\n")
    app.project.task("users", "print(timezone.__name__)")
    app.project.task("plain", "print(type(timezone).__name__)", context="none")
    _tick(app)

    assert (_output(app, "users"), _output(app, "plain")) == ("django.utils.timezone\n", "WallClock\n")
    assert app.project.json("show", "plain")["context"] is None


def test_an_application_knows_that_it_is_set_up_for_runner_and_holds_its_own_scheduler_back(app: Application) -> None:
    app.add_settings(
        "import os, threading, time\nif os.environ.get('RUNNER_CONTEXT') != 'django':\n"
        "    threading.Thread(target=time.sleep, args=(9,)).start()"
    )
    app.project.task("users", "import os\nprint(os.environ['RUNNER_CONTEXT'])", context="django")

    assert _tick(app)["users"]["status"] == "succeeded"
    assert _output(app, "users") == "django\n"


def test_a_tick_without_a_task_of_the_context_does_not_set_it_up(app: Application) -> None:
    app.add_settings("open(BASE_DIR / 'set-ups', 'a').write('x')")
    app.project.task("plain", "print('plain')")

    assert _tick(app)["plain"]["status"] == "succeeded"
    assert not (app.folder / "set-ups").exists()


def test_show_says_what_the_application_of_a_run_was(app: Application) -> None:
    app.project.task("users", "print(1)", context="django")
    _tick(app)

    shown = app.project.json("show", "users")["context"]

    assert shown.keys() == {"name", "setup_seconds", "memory_bytes", "application"}
    assert shown["name"] == "django"
    assert shown["setup_seconds"] > 0
    assert shown["memory_bytes"] > 20_000_000


#: What settings do at the set-up → what the reason of the run says.
_FAULTS = {
    "raises": ("raise RuntimeError('no license')", "RuntimeError: no license"),
    "has no module": ("import nothere", "ModuleNotFoundError: No module named 'nothere'"),
    "exits": ("import sys\nsys.exit(4)", "SystemExit: 4"),
    "ends the process": ("import os\nos._exit(7)", "it ended with exit code 7"),
    "is killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "it was killed by signal 9 (SIGKILL)"),
    "hangs": ("import time\ntime.sleep(1000)", "it took longer than 3s"),
    "leaves a thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(100,), name='poller').start()",
        "it left the thread `poller` (time.sleep)",
    ),
    "leaves a connection": (
        (
            "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
            "CLIENT = (server, socket.create_connection(server.getsockname()))"
        ),
        "it left a connection to 127.0.0.1 port ",
    ),
}


@pytest.mark.parametrize("kind", _FAULTS)
def test_a_set_up_that_fails_fails_the_tasks_of_the_context_with_a_reason_and_no_others(
    app: Application, kind: str
) -> None:
    settings, reason = _FAULTS[kind]
    app.configure(timeout="3s")
    app.add_settings(settings)
    app.project.task("first", "print(1)", context="django")
    app.project.task("second", "print(1)", context="django")
    app.project.task("plain", "print(1)")

    ended = _tick(app)

    assert ended["plain"]["status"] == "succeeded"
    assert ended["first"]["status"] == ended["second"]["status"] == "failed"
    assert ended["first"]["reason"].startswith(f"the set-up of the context `django` failed: {reason}")
    assert ended["second"]["reason"] == f"{ended['first']['reason']}; run {ended['first']['run_id']} has the details"


def test_the_traceback_of_a_failed_set_up_is_on_record_once_and_has_no_frame_of_runner(app: Application) -> None:
    app.add_settings("print('before')\nraise RuntimeError('no license')")
    for name in ("first", "second"):
        app.project.task(name, "print(1)", context="django")
    _tick(app)

    first, second = (app.project.json("show", name) for name in ("first", "second"))

    assert "RuntimeError: no license" in first["traceback"]
    assert "/runner/" not in first["traceback"]
    assert first["output"].startswith("before\nTraceback ")
    assert second["traceback"] is None


def test_what_a_set_up_prints_goes_to_the_log_and_fails_nothing(app: Application) -> None:
    app.add_settings("print('hello from the set-up')")
    app.project.task("users", "print(1)", context="django")

    assert _tick(app)["users"]["status"] == "succeeded"
    assert _output(app, "users") == "1\n"
    assert "hello from the set-up\n" in (app.project.state / "contexts" / "django.log").read_text()


def test_what_a_set_up_has_started_is_gone_after_the_tick(app: Application, tmp_path: Path) -> None:
    app.add_settings(
        f"import subprocess\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(subprocess.Popen(['sleep', '1000']).pid))"
    )
    app.project.task("users", "print(1)", context="django")

    assert _tick(app)["users"]["status"] == "succeeded"
    assert not is_alive(int((tmp_path / "pid").read_text()))


#: A set-up that starts a daemon, which has the pipes of the host and the lock of its owner.
_DAEMON = """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open({path!r}, "w") as file:
            file.write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
while not os.path.exists({path!r}) or not open({path!r}).read():
    time.sleep(0.01)
{end}
"""
#: What the set-up does at its end, and the code of a task → the status of the run.
_AFTER_DAEMONS = {
    "all is well": ("", "print(1)", "succeeded"),
    "the set-up fails": ("raise RuntimeError", "print(1)", "failed"),
    "the set-up ends the process": ("os._exit(3)", "print(1)", "failed"),
    "the host is killed": (
        "",
        "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(9)",
        "failed",
    ),
}


@pytest.mark.parametrize("command", ["tick", "run"])
@pytest.mark.parametrize("kind", _AFTER_DAEMONS)
def test_a_daemon_that_a_set_up_has_started_is_ended_with_its_host(
    app: Application, tmp_path: Path, kind: str, command: str
) -> None:
    end, code, status = _AFTER_DAEMONS[kind]
    path = tmp_path / "daemon"
    app.add_settings(_DAEMON.format(path=str(path), end=end))
    app.project.task("users", code, context="django")
    app.project.commit()

    app.project.runner(*(["tick"] if command == "tick" else ["run", "users"]), now=NOON)

    assert [run.status for run in app.project.runs()] == [status]
    wait_until(lambda: not is_alive(int(path.read_text())), "the daemon has ended")


def test_the_variables_of_an_env_file_reach_the_application_and_its_tasks_and_are_masked(app: Application) -> None:
    secret = "correct-horse-battery"  # noqa: S105 - a test
    (app.folder / ".env").write_text(f"# comment\nexport API_KEY='{secret}'\nPORT=8000\n")
    app.configure(env_file="../app/.env")
    app.add_settings("import os\nprint('set up with', os.environ['API_KEY'])")
    app.project.task("users", "import os\nprint(os.environ['API_KEY'], os.environ['PORT'])", context="django")

    assert _tick(app)["users"]["status"] == "succeeded"
    assert _output(app, "users") == "*** 8000\n"
    stored = [path for path in app.project.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert stored == []


def test_naive_times_are_in_the_time_zone_of_the_task_and_localtime_in_that_of_the_project(app: Application) -> None:
    app.add_settings("TIME_ZONE = 'America/New_York'")
    code = "import time\nprint(datetime.datetime.now().isoformat(), timezone.localtime().isoformat(), time.tzname[0])"
    app.project.task("users", code, context="django", timezone="Asia/Tokyo")
    _tick(app)

    naive, local, name = _output(app, "users").split()

    assert name == "JST"
    assert local[-6:] in {"-05:00", "-04:00"}
    difference = datetime.fromisoformat(naive) - datetime.fromisoformat(local).replace(tzinfo=None)
    assert round(difference.total_seconds() / 3600) in {13, 14}


def test_at_most_max_parallel_runs_of_a_context_are_under_way_over_all_ticks(app: Application, tmp_path: Path) -> None:
    app.configure(max_parallel=2)
    mark = f"open({str(tmp_path / 'marks')!r}, 'a').write"
    for number in range(6):
        code = f"import time\n{mark}('+')\ntime.sleep(0.3)\n{mark}('-')"
        app.project.task(f"task-{number}", code, context="django")
    app.project.commit()

    with background(app.project, "tick", now=NOON) as other:
        assert app.project.runner("tick", now=NOON).returncode == 0
        other.communicate(timeout=100)
    wait_until(lambda: {run.status for run in app.project.runs()} == {"succeeded"}, "all have run")

    marks = (tmp_path / "marks").read_text()
    under_way = [marks[:end].count("+") - marks[:end].count("-") for end in range(len(marks))]
    assert len(marks) == 12
    assert max(under_way) <= 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_runs_of_a_host_that_is_killed_fail_and_leave_no_process(
    app: Application, number: int, tmp_path: Path
) -> None:
    code = (
        "import os, subprocess, time\nchild = subprocess.Popen(['sleep', '1000'])\n"
        f"with open({str(tmp_path / 'pids')!r}, 'w') as file:\n"
        "    file.write(f'{os.getppid()} {os.getpid()} {child.pid} ')\ntime.sleep(1000)"
    )
    app.project.task("slow", code, context="django")
    app.project.commit()

    with background(app.project, "tick", now=NOON) as tick:
        wait_until(
            lambda: (tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split(" ")) == 4, "it runs"
        )
        host, *others = map(int, (tmp_path / "pids").read_text().split())
        os.kill(host, number)
        tick.communicate(timeout=100)

    [run] = app.project.runs("slow")
    assert (run.status, str(run.reason)) == (
        "failed",
        f"the host of the context `django` ended: it was killed by signal {int(number)} ({signal.Signals(number).name})",
    )
    assert not any(map(is_alive, others))


def test_a_host_that_is_killed_leaves_no_folder(app: Application) -> None:
    code = (
        "import glob, os, signal, time\nend = time.monotonic() + 60\n"
        f"while not glob.glob({str(app.project.state / 'work' / 'spare-*')!r}) and time.monotonic() < end:\n"
        "    time.sleep(0.01)\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(9)"
    )
    app.project.task("first", "print(1)", context="django")
    app.project.task("kills", code, context="django")

    ended = _tick(app)

    assert ended["kills"]["status"] == "failed"  # the first one too, if its end was not told yet
    assert list((app.project.state / "work").iterdir()) == []


def test_run_and_replay_use_the_context(app: Application) -> None:
    app.project.task("users", "print(User.objects.count())", context="django")
    app.project.commit()

    done = app.project.runner("run", "users", now=NOON)
    again = app.project.runner("replay", "1", now=NOON)

    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert (again.returncode, again.stdout) == (0, "0\n"), again.stderr


def test_contexts_check_says_what_is_in_scope_and_keeps_the_names(app: Application) -> None:
    done = app.project.runner("contexts", "check")

    assert done.returncode == 0, done.stderr
    assert "User" in done.stdout
    names = json.loads((app.project.state / "contexts" / "django.json").read_text())["names"]
    assert {"User", "Group", "timezone"} <= set(names)


def test_contexts_check_says_why_a_set_up_fails(app: Application) -> None:
    app.add_settings("raise RuntimeError('no license')")

    done = app.project.runner("contexts", "check")

    assert done.returncode == 1
    assert "RuntimeError: no license" in done.stdout


#: Keys of the context → what `contexts check` and the reason of a run say.
_WRONG_KEYS: dict[str, tuple[dict[str, object], str]] = {
    "no path": ({"path": "../nothere"}, "its path, {folder}/nothere: No such file or directory"),
    "no python": ({"python": "../nothere"}, "its python, {folder}/nothere: No such file or directory"),
    "no program": ({"python": "../app"}, "its python, {folder}/app: Permission denied"),
    "another program": ({"python": "/bin/sh"}, "failed: it ended with exit code "),
    "no settings": ({"settings": "nothere"}, "failed: ModuleNotFoundError: No module named 'nothere'"),
    "no env_file": ({"env_file": "../nothere"}, "the env_file {folder}/nothere cannot be read: No such file"),
    "no name": (
        {"names": "{X: django.contrib.auth.models.X}"},
        "there is no `django.contrib.auth.models.X`: `django.contrib.auth.models` has no `X`",
    ),
}


@pytest.mark.parametrize("kind", _WRONG_KEYS)
def test_a_wrong_key_of_a_context_is_named_by_contexts_check_and_by_the_reason_of_a_run(
    app: Application, kind: str
) -> None:
    keys, reason = _WRONG_KEYS[kind]
    app.configure(**keys)
    app.project.task("users", context="django")

    checked = app.project.runner("contexts", "check")

    expected = reason.format(folder=app.folder.parent)
    assert (checked.returncode, expected in checked.stdout) == (1, True), checked.stdout
    assert expected in _tick(app)["users"]["reason"]


def test_the_last_line_of_a_set_up_that_ends_its_process_is_in_the_reason(app: Application) -> None:
    app.add_settings("import os\nprint('no license', flush=True)\nos._exit(7)")
    app.project.task("users", context="django")

    assert _tick(app)["users"]["reason"].endswith("it ended with exit code 7: no license")


def test_models_of_the_same_name_are_an_error_that_names_them(app: Application) -> None:
    _add_models(app, "old", "new")
    app.project.task("users", "print(1)", context="django")
    ended = _tick(app)

    assert "`Ticket`: old.models.Ticket and new.models.Ticket" in ended["users"]["reason"]


def test_any_module_with_a_set_up_function_is_a_context(project: Project, tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "tasks.py").write_text(
        "def setup():\n    return {'price': lambda: 42}\ndef teardown():\n    print('torn down')\n"
    )
    project.write("runner.yaml", f"contexts:\n  shop: {{path: {shop}, setup: 'tasks:setup'}}\n")
    project.task("prices", "print(price(), timezone.now().tzinfo)", context="shop")
    project.commit()

    done = project.runner("run", "prices", now=NOON)

    assert (done.returncode, done.stdout) == (0, "42 UTC\ntorn down\n"), done.stderr


def _add_models(app: Application, *names: str) -> None:
    """Add an application of each name to the project, each with a model `Ticket`."""
    for name in names:
        (app.folder / name).mkdir()
        (app.folder / name / "__init__.py").touch()
        model = "from django.db import models\nclass Ticket(models.Model): pass\n"
        (app.folder / name / "models.py").write_text(model)
    app.add_settings(f"INSTALLED_APPS += {list(names)}")


def test_names_choose_one_of_the_models_of_the_same_name(app: Application) -> None:
    _add_models(app, "old", "new")
    app.configure(names="{Ticket: new.models.Ticket, Former: old.models.Ticket}")
    app.project.task("users", "print(Ticket.__module__, Former.__module__, User.__name__)", context="django")

    _tick(app)

    assert _output(app, "users") == "new.models old.models User\n"


#: `language` of the context, and that of the project → the name of Monday in a run.
_LANGUAGES = [(None, "es", "lunes"), ("de", "es", "Montag"), ("pt-br", "en-us", "Segunda-feira")]


@pytest.mark.parametrize(("language", "of_project", "monday"), _LANGUAGES)
def test_the_language_of_the_project_is_active_unless_the_context_names_another(
    app: Application, language: str | None, of_project: str, monday: str
) -> None:
    app.configure(language=language)
    app.add_settings(f"LANGUAGE_CODE = {of_project!r}")
    app.project.task(
        "users", "from django.utils.translation import gettext\nprint(gettext('Monday'))", context="django"
    )

    _tick(app)

    assert _output(app, "users") == f"{monday}\n"


def test_a_language_without_translations_fails_the_set_up_with_a_reason(app: Application) -> None:
    app.configure(language="klingon")
    app.project.task("users", context="django")

    assert "Django has no translations for `language: klingon`" in _tick(app)["users"]["reason"]


def test_a_run_has_on_record_what_was_deployed_when_it_ran(app: Application) -> None:
    app.configure(digest="../app/VERSION")
    app.project.task("users", context="django")
    shown = []
    for number, minute in ((1, NOON), (2, NOON + MINUTE)):
        (app.folder / "VERSION").write_text(f"release {number}\n")
        app.project.commit()
        assert app.project.runner("tick", now=minute).returncode == 0
        shown.append(app.project.json("show", "users")["context"]["application"])

    assert shown == [f"sha256:{sha256(text).hexdigest()}" for text in (b"release 1\n", b"release 2\n")]


def test_the_commit_of_an_application_in_a_repository_of_its_own_is_on_record(app: Application) -> None:
    other = Project.create(app.folder)
    commit = other.commit()
    app.project.task("users", context="django")
    _tick(app)

    assert app.project.json("show", "users")["context"]["application"] == commit


def _hang(app: Application, tmp_path: Path) -> None:
    """Have the first set-up start a process, write both pids, and hang; commit a task of the context."""
    path = tmp_path / "pids"
    app.add_settings(
        f"import os, subprocess, time\nif not os.path.exists({str(path)!r}):\n"
        f"    child = subprocess.Popen(['sleep', '1000'])\n    with open({str(path)!r}, 'w') as file:\n"
        "        file.write(f'{os.getpid()} {child.pid} ')\n    time.sleep(1000)"
    )
    app.project.task("users", context="django")
    app.project.commit()


def _pids(tmp_path: Path) -> list[int]:
    path = tmp_path / "pids"
    wait_until(lambda: path.exists() and path.read_text().count(" ") == 2, "the set-up hangs")
    return [int(pid) for pid in path.read_text().split()]


#: The signal to a tick while the set-up hangs → the status of its run after the next tick.
_ENDS = {signal.SIGTERM: "cancelled", signal.SIGINT: "cancelled", signal.SIGKILL: "succeeded"}


@pytest.mark.parametrize("number", _ENDS)
def test_a_tick_that_ends_during_a_set_up_leaves_no_process_and_no_run_unfinished(
    app: Application, number: signal.Signals, tmp_path: Path
) -> None:
    _hang(app, tmp_path)

    with background(app.project, "tick", now=NOON) as tick:
        pids = _pids(tmp_path)
        tick.send_signal(number)
        tick.communicate(timeout=100)
    app.project.runner("tick", now=NOON)

    assert [run.status for run in app.project.runs()] == [_ENDS[number]]
    wait_until(lambda: not any(map(is_alive, pids)), "all of its processes are gone")


def test_a_run_can_be_cancelled_while_its_application_is_set_up(app: Application, tmp_path: Path) -> None:
    _hang(app, tmp_path)

    with background(app.project, "tick", now=NOON) as tick:
        pids = _pids(tmp_path)
        assert app.project.runner("cancel", "users").returncode == 0
        tick.communicate(timeout=100)

    assert [run.status for run in app.project.runs()] == ["cancelled"]
    wait_until(lambda: not any(map(is_alive, pids)), "all of its processes are gone")


#: The code of a task, and keys of its file → the status of its run, and what the reason says.
_SUPERVISED: dict[str, tuple[str, dict[str, object], str, str]] = {
    "timeout": ("import time\ntime.sleep(1000)", {"timeout": "1s", "kill_grace": "1s"}, "timed_out", "1s"),
    "memory": ("x = bytearray(900_000_000)", {"limits": {"memory": "300M"}}, "failed", "memory"),
    "open files": (
        "files = [open('/dev/null') for _ in range(100)]",
        {"limits": {"open_files": 60}},
        "failed",
        "open_files",
    ),
    "exit code": ("import sys\nsys.exit(7)", {}, "failed", "exit code 7"),
    "signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", {}, "failed", "SIGSEGV"),
}


@pytest.mark.parametrize("kind", _SUPERVISED)
def test_a_run_in_a_context_is_supervised_as_all_others_are(app: Application, kind: str, tmp_path: Path) -> None:
    code, keys, status, reason = _SUPERVISED[kind]
    start = "import subprocess\nchild = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
    note = f"with open({str(tmp_path / 'pid')!r}, 'w') as file:\n    file.write(str(child.pid))\nprint('begun', flush=True)\n"
    app.project.task("users", f"{start}{note}{code}", context="django", **keys)

    run = _tick(app)["users"]

    assert (run["status"], reason in run["reason"]) == (status, True), run["reason"]
    assert _output(app, "users").startswith("begun\n")
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_the_output_of_a_run_in_a_context_can_be_followed_while_it_runs(app: Application, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"while not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n"
    code = f"import os, time\nprint('first', flush=True)\n{wait}print('last')"
    app.project.task("users", code, context="django")
    app.project.commit()

    with background(app.project, "run", "users", now=NOON) as run:
        assert run.stdout is not None
        first = run.stdout.readline()
        go.touch()
        rest, _ = run.communicate(timeout=100)

    assert (first, rest) == ("first\n", "last\n")


@postgres.needs_postgres
def test_a_pool_of_connections_is_closed_before_the_forks_and_each_run_has_its_own(app: Application) -> None:
    with databases.server("postgresql") as create:
        app.use_database(create("ticketing"))
        app.add_settings("DATABASES['default']['OPTIONS'] = {'pool': True}")
        for number in range(3):
            app.project.task(f"task-{number}", "User.objects.create(username=str(task.run_id))", context="django")
        app.project.task("undone", "User.objects.create(username='x')", context="django", rollback=True)
        statuses = {run["status"] for run in _tick(app).values()}
        app.project.task("count", "print(User.objects.count())", context="django")
        app.project.commit()
        counted = app.project.runner("run", "count", now=NOON)

    assert (statuses, counted.stdout) == ({"succeeded"}, "3\n"), counted.stderr
