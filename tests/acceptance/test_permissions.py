"""A task with permissions is held to them by the kernel; what it was denied says which line grants it."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from runner.execution.sandbox import landlock
from tests.support.django import Application
from tests.support.project import NOON, RUNNER, Project

pytestmark = [
    pytest.mark.held,
    pytest.mark.skipif(landlock.abi() < 6, reason="needs Landlock with ABI 6 or later"),
]


def _run(project: Project, code: str, permissions: dict[str, object] | None) -> dict[str, Any]:
    project.task("held", code, permissions=permissions)
    if permissions is None:
        project.write("runner.yaml", "permissions: {default: all}\n")
    project.commit()
    project.runner("run", "held", now=NOON)
    shown: dict[str, Any] = project.json("show", "held")
    return shown


def test_a_task_with_empty_permissions_does_what_every_task_may_do(project: Project) -> None:
    project.write("tasks/names.csv", "ana\n")
    project.write("lib/ours.py", "x = 1\n")
    code = (
        "import csv, json, tempfile, zoneinfo, ours, logging, threading, ssl\n"
        "print(*csv.reader((task.root / 'tasks' / 'names.csv').open()))\n"
        "(task.state / 'kept').write_text('kept')\nopen('here', 'w').write('x')\n"
        "tempfile.NamedTemporaryFile().write(b'x')\nprint(zoneinfo.ZoneInfo('Europe/Madrid'), timezone.now().tzinfo)\n"
        "thread = threading.Thread(target=print, args=('thread',))\nthread.start()\nthread.join()\n"
        "logger.info('%s %s', ours.x, (task.state / 'kept').read_text())"
    )

    shown = _run(project, code, {})

    assert (shown["status"], shown["error"]) == ("succeeded", None), shown["output"]
    assert shown["output"].startswith("['ana']\n")


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:  # the kernel accepts connections for it
        yield server.getsockname()[1]


def _acts(tmp_path: Path, port: int) -> dict[str, tuple[str, str, dict[str, object]]]:
    """Return acts by name: their code, the line that the reason names, and the grant that this line means."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.write_text("x")
    folder.mkdir()
    (folder / "old").write_text("x")
    connect = f"import socket\nsocket.create_connection(('127.0.0.1', {port})).close()"
    return {
        "read a file": (f"open({str(secret)!r}).read()", f"read: [{secret}]", {"read": [str(secret)]}),
        "list a folder": (f"import os\nos.listdir({str(folder)!r})", f"read: [{folder}]", {"read": [str(folder)]}),
        "write a new file": (
            f"open({str(folder / 'new')!r}, 'w').write('x')",
            f"write: [{folder}]",
            {"write": [str(folder)]},
        ),
        "connect": (connect, f"network: [{port}]", {"network": [port]}),
        "start a program": (
            "import os\nos.posix_spawn('/usr/bin/true', ['true'], {})",
            "subprocess: true",
            {"subprocess": True},
        ),
    }


@pytest.mark.parametrize("kind", ["read a file", "list a folder", "write a new file", "connect", "start a program"])
def test_what_a_task_was_denied_works_with_the_line_that_the_reason_names(
    project: Project, tmp_path: Path, port: int, kind: str
) -> None:
    code, line, grant = _acts(tmp_path, port)[kind]

    denied, granted = _run(project, code, {}), _run(project, code, grant)

    assert (denied["status"], denied["error"]["type"]) == ("failed", "permission-denied"), denied["output"]
    assert f"add `permissions: {line}`" in denied["reason"]
    assert (granted["status"], granted["error"]) == ("succeeded", None), granted["output"]
    assert _run(project, code, None)["status"] == "succeeded"


#: Code that uses shared memory, which is a file.
_SHARED_MEMORY = {
    "a pool": (
        "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(1) as pool:\n    print(pool.map(abs, [-1]))"
    ),
    "a semaphore": "import multiprocessing\nmultiprocessing.Semaphore()",
    "a block": (
        "from multiprocessing.shared_memory import SharedMemory\nblock = SharedMemory(create=True, size=10)\n"
        "block.close()\nblock.unlink()"
    ),
}


@pytest.mark.parametrize("kind", _SHARED_MEMORY)
def test_shared_memory_is_granted_by_its_folder(project: Project, kind: str) -> None:
    code = _SHARED_MEMORY[kind]

    assert "add `permissions: write: [/dev/shm]`" in _run(project, code, {})["reason"]
    granted = _run(project, code, {"write": ["/dev/shm"], "subprocess": True})
    assert (granted["status"], granted["error"]) == ("succeeded", None), granted["output"]


def test_what_nothing_grants_has_no_line(project: Project) -> None:
    shown = _run(project, "import os\nos.kill(os.getppid(), 0)", {})

    assert (shown["status"], shown["error"]["type"], "add `" in shown["reason"]) == ("failed", "PermissionError", False)


def test_what_may_be_read_only_is_named_as_to_be_written(project: Project, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    code = f"open({str(tmp_path / 'old')!r}, 'w')"

    shown = _run(project, code, {"read": [str(tmp_path)]})

    assert f"add `permissions: write: [{tmp_path / 'old'}]`" in shown["reason"]


#: Code that touches a folder of many programs → the line, which proposes none of them.
_SHARED = {
    "import os\nos.listdir('/')": "read: [FOLDER]",
    "import os\nos.listdir('/etc')": "read: [FOLDER]",
    "open('/runner-test-new', 'w')": "write: [FOLDER]",
    "open('/var/lib/runner-test-new', 'w')": "write: [FOLDER]",
}


@pytest.mark.parametrize("code", _SHARED)
def test_no_folder_of_many_programs_is_proposed(project: Project, code: str) -> None:
    assert f"add `permissions: {_SHARED[code]}`" in _run(project, code, {})["reason"]


#: What belongs to runner, and no task has without a grant.
_OWN = {
    "the database": "state('runner.db')",
    "the folders of runs": "state('work')",
    "the folders of others": "state('data/other')",
    "git": "repo('.git/config')",
    "the work tree": "repo('runner.yaml')",
    "the tick": "f'/proc/{os.getppid()}/environ'",
    "the home of root": "'/root'",
    "passwords": "'/etc/shadow'",
}


@pytest.mark.parametrize("kind", _OWN)
def test_a_task_reads_nothing_of_runner_or_of_others(project: Project, kind: str) -> None:
    project.write("runner.yaml", "timezone: UTC\n")
    project.task("other", "print(1)")
    project.commit()
    project.tick()
    code = (
        f"import os\nstate = lambda name: {str(project.state)!r} + '/' + name\n"
        f"repo = lambda name: os.environ['RUNNER_REPO'] + '/' + name\npath = {_OWN[kind]}\n"
        "print(os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read())"
    )

    shown = _run(project, code, {})

    assert (shown["status"], shown["error"]["type"]) == ("failed", "permission-denied"), shown["output"]
    if os.geteuid() == 0:
        assert _run(project, code, None)["status"] == "succeeded"


def test_permissions_of_all_tasks_stand_in_runner_yaml_and_are_added_to(project: Project, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    (tmp_path / "two").write_text("2")
    project.write("runner.yaml", f"permissions: {{default: {{read: [{tmp_path / 'one'}]}}}}\n")
    both = f"print(open({str(tmp_path / 'one')!r}).read(), open({str(tmp_path / 'two')!r}).read())"

    assert _run(project, both, {})["error"]["type"] == "permission-denied"
    assert _run(project, both, {"read": [str(tmp_path / "two")]})["output"] == "1 2\n"


def test_no_task_can_ask_beyond_the_bound_of_runner_yaml(project: Project) -> None:
    project.write("runner.yaml", "permissions: {most: {network: [25], read: [/srv], imports: [requests]}}\n")
    asked = {
        "imports": ["requests.auth", "psycopg"],
        "network": [25, 5432],
        "read": ["/srv/x", "/srvx"],
        "subprocess": True,
    }
    project.task("held", permissions=asked)

    problems = project.json("validate")["problems"]

    assert [it["message"].partition(" is more")[0] for it in problems if it["code"] == "permissions"] == [
        "`imports: psycopg`",
        "`network: 5432`",
        "`read: /srvx`",
        "`subprocess: true`",
    ]


@pytest.mark.parametrize(
    "value",
    [{"read": ["../x"]}, {"read": ["~/x"]}, {"network": [0]}, {"network": ["smtp"]}, {"imports": ["a-b"]}, {"x": 1}],
)
def test_permissions_that_mean_nothing_are_problems(project: Project, value: dict[str, object]) -> None:
    project.task("held", permissions=value)

    assert project.runner("validate").returncode == 1


def test_a_task_of_an_application_is_held_too_and_reaches_its_database_with_a_grant(project: Project) -> None:
    app = Application.create(project)
    codes = {"write": "User.objects.create(username=task.id)", "escape": "print(open('/etc/shadow').read())"}
    for name, code in codes.items():
        project.task(name, code, context="django", permissions={"write": [str(app.folder)]})
    project.task("denied", codes["write"], context="django", permissions={})
    project.commit()

    project.runner("tick", now=NOON)

    assert {run.task: run.status for run in project.runs()} == {
        "write": "succeeded",
        "escape": "failed",
        "denied": "failed",
    }
    assert project.json("show", "escape")["error"]["type"] == "permission-denied"
    assert "attempt to write a readonly database" in project.json("show", "denied")["reason"]
    assert sorted(app.users()) == ["write"]


def test_the_permissions_of_a_context_are_those_of_its_tasks_that_have_any(project: Project) -> None:
    app = Application.create(project)
    app.configure(permissions=f"{{write: [{app.folder}]}}")
    project.task("held", "User.objects.create(username=task.id)", context="django", permissions={})
    project.task("escape", "print(open('/etc/shadow').read())", context="django", permissions={})
    project.commit()

    project.runner("tick", now=NOON)

    assert {run.task: run.status for run in project.runs()} == {"held": "succeeded", "escape": "failed"}
    assert app.users() == ["held"]


def test_a_task_that_is_tried_sees_its_files_and_nothing_else_of_the_work_tree(project: Project) -> None:
    project.write("lib/ours.py", "x = 1\n")
    project.task("held", "import ours\nprint(ours.x, open(f'{task.root}/runner.yaml').read())", permissions={})
    project.write("runner.yaml", "timezone: UTC\n")
    project.commit()

    project.runner("run", "held", "--worktree", now=NOON)

    shown = project.json("show", "held")
    assert (shown["error"]["type"], "ours.x" in shown["traceback"]) == ("permission-denied", True)


def test_a_filter_is_compiled_once_and_a_damaged_one_again(project: Project) -> None:
    assert _run(project, "print(1)", {})["status"] == "succeeded"
    [kept] = (project.state / "filters").iterdir()
    program = kept.read_bytes()
    kept.write_bytes(b"damaged")

    assert _run(project, "print(1)", {})["status"] == "succeeded"
    assert kept.read_bytes() == program


def test_plan_shows_a_change_of_permissions_as_what_the_task_may_touch(project: Project) -> None:
    project.task("held", "print(1)", permissions={})
    project.commit()
    project.task("held", "print(1)", permissions={"network": [25], "write": ["/srv"]})
    project.commit()

    said = project.runner("plan", "HEAD^", "HEAD", now=NOON).stdout

    assert "network: 25" in said
    assert "write: /srv" in said


#: A program that takes Landlock from the command that it then runs, as a kernel without Landlock would.
_WITHOUT_LANDLOCK = """\
import errno, os, sys
from seccompy import Filter
made = Filter()
made.errno("landlock_create_ruleset", errno.ENOSYS)
made.load()
os.execv(sys.argv[1], sys.argv[1:])
"""


def _without_landlock(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT_LANDLOCK, RUNNER, *words],
        cwd=project.root,
        env=project.environment(NOON),
        check=False,
        capture_output=True,
        text=True,
    )


#: `sandbox` in runner.yaml → the status of a task that reads, and that of one that opens a socket, without Landlock.
_SANDBOXES = {None: ("succeeded", "failed"), "required": ("failed", "failed"), "off": ("succeeded", "succeeded")}


@pytest.mark.parametrize("sandbox", _SANDBOXES)
def test_where_a_part_of_the_sandbox_is_missing_runner_yaml_says_whether_tasks_run(
    project: Project, tmp_path: Path, sandbox: str | None
) -> None:
    (tmp_path / "secret").write_text("x")
    project.write("runner.yaml", "" if sandbox is None else f"sandbox: {sandbox}\n")
    project.task("read", f"print(open({str(tmp_path / 'secret')!r}).read())", permissions={})
    project.task("send", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()", permissions={})
    project.commit()

    assert _without_landlock(project, "tick").returncode == 0

    runs = {run.task: run for run in project.runs()}
    assert (runs["read"].status, runs["send"].status) == _SANDBOXES[sandbox]
    missing = "this machine does not hold files (Landlock is missing); truncating files; TCP ports; signals to other"
    assert (missing in str(runs["read"].reason)) == (sandbox == "required")
    shown = _without_landlock(project, "status").stdout
    off, missing = "no permissions are held: `sandbox` is off", "not held on this machine: files (Landlock is missing)"
    assert f"sandbox    {off if sandbox == 'off' else missing}" in shown
    assert ("\nsandbox " in project.runner("status", now=NOON).stdout) == (sandbox == "off")


@pytest.fixture
def unix_server(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "run"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mail:
        server.bind(str(folder / "socket"))
        server.listen(20)
        mail.bind(str(folder / "mail"))
        (tmp_path / "link").symlink_to(folder / "socket")
        yield folder


#: How a task reaches a unix socket; `folder` is that of the sockets.
_TO_SOCKETS = {
    "by path": "s = socket.socket(socket.AF_UNIX)\ns.connect(f'{folder}/socket')",
    "by a link": "s = socket.socket(socket.AF_UNIX)\ns.connect(f'{folder}/../link')",
    "datagram": "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendto(b'x', f'{folder}/mail')",
    "message": "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendmsg([b'x'], [], 0, f'{folder}/mail')",
}


@pytest.mark.parametrize("kind", _TO_SOCKETS)
def test_a_unix_socket_is_reached_with_the_network_or_a_path_that_covers_it(
    project: Project, unix_server: Path, tmp_path: Path, kind: str
) -> None:
    code = f"import socket\nfolder = {str(unix_server)!r}\n{_TO_SOCKETS[kind]}\ns.close()"
    (tmp_path / "reports").mkdir()

    assert _run(project, code, {})["error"]["type"] == "permission-denied"
    assert _run(project, code, {"write": [str(tmp_path / "reports")]})["error"]["type"] == "permission-denied"
    assert _run(project, code, {"write": [str(unix_server)]})["status"] == "succeeded"
    assert _run(project, code, {"network": True})["status"] == "succeeded"


def test_an_abstract_unix_socket_is_not_reached_without_the_network(project: Project) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0runner-test-{os.getpid()}")
        server.listen()
        code = f"import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0runner-test-{os.getpid()}')\ns.close()"
        denied = _run(project, code, {})

    assert denied["error"]["type"] == "permission-denied"


def test_names_of_hosts_are_looked_up_with_the_network_only(project: Project) -> None:
    code = "import socket\nsocket.getaddrinfo('no-such-host.invalid', 80)"

    shown = _run(project, code, {"network": [80]})

    assert "add `permissions: network: true`" in shown["reason"]


#: Code that imports a module without a grant → whether that is held. The rest is what docs/security.md says is not.
_IMPORTS = {
    "import gc": True,
    "from gc import collect": True,
    "import gc as collector": True,
    "exec('import gc')": True,
    "eval('__import__(\"gc\")')": False,
    "def f():\n    import gc\nf()": True,
    "class C:\n    import gc": True,
    "import sys\nsys.modules['gc'] = sys\nimport gc": True,
    "import threading\nthreading.gc = 1\nexec(compile('import gc', 'x', 'exec'))": True,
    "import pickle\npickle.loads(b'cgc\\nisenabled\\n.')": True,
    "import sys\nsys.modules['os'].getpid()": False,
}


@pytest.mark.parametrize("code", _IMPORTS)
def test_an_import_statement_of_a_module_that_is_not_granted_raises_import_error(project: Project, code: str) -> None:
    caught = f"try:\n{indent(code, '    ')}\nexcept ImportError:\n    print('held')\n"

    shown = _run(project, caught, {})

    assert (shown["status"], shown["output"]) == ("succeeded", "held\n" if _IMPORTS[code] else "")


def test_a_task_has_no_descriptors_but_its_streams_and_its_report(project: Project) -> None:
    code = "import os\nprint(sorted(int(name) for name in os.listdir('/proc/self/fd'))[:-1])"

    descriptors = _run(project, code, {})["output"]

    assert descriptors.startswith("[0, 1, 2")
    assert descriptors.count(",") <= 3, descriptors


_LOCKING = """\
import fcntl, os, time, pathlib
folders = [task.root, task.state, pathlib.Path.cwd(), pathlib.Path(os.environ["RUNNER_REPO"]), STATE]
locked = []
for folder in folders:
    for path in [folder, *folder.rglob("*")]:
        try:
            locked.append(os.open(path, os.O_RDONLY))
            fcntl.flock(locked[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.fcntl(locked[-1], fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            pass
for descriptor in (0, 1, 2):
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
print("locked", len(locked) > 0, flush=True)
while not (task.state / "end").exists():
    time.sleep(0.05)
"""


def test_no_lock_that_a_task_takes_delays_a_tick(project: Project) -> None:
    code = _LOCKING.replace("STATE", f"pathlib.Path({str(project.state)!r})")
    project.task("locks", code, permissions={})
    project.task("other", "print((task.root / 'tasks/other.txt').read_text())", permissions={})
    project.write("tasks/other.txt", "read")
    project.commit()
    locking = subprocess.Popen([RUNNER, "run", "locks"], cwd=project.root, env=project.environment(NOON), stdout=-1)
    with locking:
        assert locking.stdout is not None
        assert locking.stdout.readline() == b"locked True\n"

        done = project.runner("tick", "--task", "other", now=NOON, timeout=40)

        (project.state / "data" / "locks" / "end").touch()
        assert locking.wait(60) == 0
    assert done.returncode == 0
    assert [(run.task, run.status) for run in project.runs("other")] == [("other", "succeeded")]


#: Code whose error comes from a library, which says less → the line that the reason names; P is a folder.
_BY_LIBRARIES = {
    "import sqlite3\nshop = sqlite3.connect('P/shop.db')\nshop.execute('INSERT INTO t VALUES (1)')": "",
    "import sqlite3\npath = 'P/shop.db'\nsqlite3.connect(path).execute('SELECT * FROM t')": "write: [P]",
    "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:8099/')": "network: [8099]",
    "import smtplib\nsmtplib.SMTP('127.0.0.1', 2525)": "network: [2525]",
    "import shutil\nshutil.copy('P/shop.db', 'mine')": "read: [P/shop.db]",
    "import logging.handlers\nlogging.handlers.RotatingFileHandler('P/log')": "write: [P]",
    "import tempfile\ntempfile.TemporaryFile(dir='P')": "write: [P]",
    "try:\n    open('P/shop.db')\nexcept OSError as error:\n    raise ValueError('bad') from error": "read: [P/shop.db]",
    "import socket\nsocket.socket(socket.AF_UNIX).connect('P/socket')": "write: [SOCKET]",
    "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM)": "network: true",
    "import socket\nsocket.create_server(('127.0.0.1', 0))": "network: true",
    "import socket\nsocket.socket().connect(('127.0.0.1', 25))": "network: [PORT]",
    "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', 25))": "network: [25]",
}


@pytest.mark.parametrize("code", _BY_LIBRARIES)
def test_a_denial_behind_an_error_of_a_library_is_found(project: Project, tmp_path: Path, code: str) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("CREATE TABLE t (x)")

    shown = _run(project, code.replace("P/", f"{tmp_path}/").replace("'P'", repr(str(tmp_path))), {})

    line = re.sub(r"\[P(?=[]/])", f"[{tmp_path}", _BY_LIBRARIES[code])
    if line:
        assert shown["error"]["type"] == "permission-denied", shown["output"]
        assert f"add `permissions: {line}`" in shown["reason"]
    else:
        assert "if a permission is missing, `runner run held --learn` says which" in shown["reason"]


@pytest.mark.parametrize("act", ["bind(('127.0.0.1', 0))", "listen()"])
def test_listening_is_granted_by_the_whole_network_where_ports_are_granted(project: Project, act: str) -> None:
    shown = _run(project, f"import socket\nserver = socket.socket()\nserver.{act}", {"network": [25]})

    assert "add `permissions: network: true`" in shown["reason"], shown["output"]


@pytest.mark.parametrize("name", ["tool", "FOLDER/tool"])
def test_a_program_outside_of_the_system_is_granted_by_its_path(project: Project, tmp_path: Path, name: str) -> None:
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho done\n")
    tool.chmod(0o755)
    code = f"import subprocess\nsubprocess.run([{name.replace('FOLDER', str(tmp_path))!r}], check=True)"
    keys: dict[str, Any] = {"env": {"PATH": f"{tmp_path}:/usr/bin:/bin"}}
    project.task("held", code, permissions={"subprocess": True}, **keys)
    project.commit()
    project.runner("run", "held", now=NOON)

    assert f"add `permissions: read: [{tool}]`" in project.json("show", "held")["reason"]
    project.task("held", code, permissions={"subprocess": True, "read": [str(tool)]}, **keys)
    project.commit()
    assert project.runner("run", "held", now=NOON).returncode == 0


def test_what_a_started_program_was_denied_is_shown_by_learning(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    code = f"import subprocess\nsubprocess.run(['cat', '{tmp_path}/secret'], check=True)"

    shown = _run(project, code, {"subprocess": True})

    assert shown["error"]["type"] == "subprocess.CalledProcessError"
    assert shown["reason"].endswith("; if a permission is missing, `runner run held --learn` says which")


def test_what_is_granted_and_refused_by_its_owner_has_no_line(project: Project, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.write_text("x")
    closed.chmod(0)  # the capabilities of root are dropped, so that this counts for root, too
    code = f"open('{closed}').read()"
    if os.geteuid() == 0:
        os.chown(closed, 65534, 65534)

    shown = _run(project, code, {"read": [str(tmp_path)]})

    assert (shown["status"], shown["error"]["type"]) == ("failed", "PermissionError")
    assert "add `" not in shown["reason"]
