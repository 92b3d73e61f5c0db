"""`run --learn` prints the permissions that a task needs: with them, the same task is held and succeeds."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runner.execution.sandbox import landlock
from tests.support.django import Application
from tests.support.project import NOON, Project
from tests.support.streams import answered

pytestmark = [
    pytest.mark.held,
    pytest.mark.skipif(landlock.abi() < 6, reason="needs Landlock with ABI 6 or later"),
]


class _Place:
    """What the tasks of the tests touch."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port


@pytest.fixture
def place(tmp_path: Path) -> Iterator[_Place]:
    folder = tmp_path / "place"
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    for number in range(5):
        (folder / "in" / f"{number}.txt").write_text("x")
    (folder / "secret").write_text("x")
    (folder / "tool").write_text("#!/bin/sh\ncat $1\n")
    (folder / "tool").chmod(0o755)
    with closing(sqlite3.connect(folder / "shop.db")) as shop:
        shop.execute("CREATE TABLE t (x)")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(folder / "socket"))
        local.listen(20)
        yield _Place(folder, server.getsockname()[1])


#: What a task does in a folder P, and with a port N → the permissions that it needs.
_NEEDS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("print(1)", {}),
    "its own files": ("open('x', 'w').write('x')\n(task.state / 'y').write_text('y')\nprint(open('x').read())", {}),
    "temporary files": (
        "import tempfile\nwith tempfile.NamedTemporaryFile() as file:\n    print(file.name)\ntempfile.mkdtemp()",
        {},
    ),
    "temporary files of a program": ("import subprocess\nsubprocess.run(['mktemp'], check=True)", {"subprocess": True}),
    "a file": ("print(open('P/secret').read())", {"read": ["P/secret"]}),
    "many files": ("for n in range(5):\n    print(open(f'P/in/{n}.txt').read())", {"read": ["P/in"]}),
    "a folder": ("import os\nprint(os.listdir('P/in'))", {"read": ["P/in"]}),
    "a relative path": ("import os\nos.chdir('P/in/..')\nprint(open('secret').read())", {"read": ["P/secret"]}),
    "a path of a descriptor": (
        "import os\nfolder = os.open('P/in', os.O_RDONLY)\nprint(os.open('0.txt', os.O_RDONLY, dir_fd=folder))",
        {"read": ["P/in"]},
    ),
    "a new file": ("open('P/out/new', 'w').write('x')", {"write": ["P/out"]}),
    "an old file": ("open('P/secret', 'a').write('x')", {"write": ["P/secret"]}),
    "a removed file": ("import os\nos.remove('P/in/0.txt')", {"write": ["P/in"]}),
    "a renamed file": ("import os\nos.rename('P/in/0.txt', 'P/out/0.txt')", {"write": ["P/in", "P/out"]}),
    "a new folder": ("import os\nos.mkdir('P/out/deep')", {"write": ["P/out"]}),
    "a database": (
        "import sqlite3\nshop = sqlite3.connect('P/shop.db')\nshop.execute('INSERT INTO t VALUES (1)')\nshop.commit()",
        {"write": ["P"]},
    ),
    "a port": ("import socket\nsocket.create_connection(('127.0.0.1', N)).close()", {"network": ["N"]}),
    "a port by name": ("import socket\nsocket.create_connection(('localhost', N)).close()", {"network": ["N"]}),
    "a datagram": (
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
        {"network": True},
    ),
    "a connected datagram": (
        "import socket\nlog = socket.socket(type=socket.SOCK_DGRAM)\nlog.connect(('127.0.0.1', 9))\nlog.send(b'x')",
        {"network": True},
    ),
    "listening": ("import socket\nsocket.create_server(('127.0.0.1', 0)).close()", {"network": True}),
    "a unix socket": (
        "import socket\nsocket.socket(socket.AF_UNIX).connect('P/socket')",
        {"write": ["P/socket"]},
    ),
    "a program": ("import subprocess\nsubprocess.run(['true'], check=True)", {"subprocess": True}),
    "what a program reads": (
        "import subprocess\nsubprocess.run(['cat', 'P/secret'], check=True)",
        {"read": ["P/secret"], "subprocess": True},
    ),
    "what a script starts": (
        "import subprocess\nsubprocess.run(['P/tool', 'P/secret'], check=True)",
        {"read": ["P/secret", "P/tool"], "subprocess": True},
    ),
    "a fork": (
        "import os\nif os.fork() == 0:\n    open('P/secret').read()\n    os._exit(0)\nos.wait()",
        {"read": ["P/secret"]},
    ),
    "a thread": (
        "import threading\nthread = threading.Thread(target=lambda: open('P/secret').read())\nthread.start()\nthread.join()",
        {"read": ["P/secret"]},
    ),
    "a library in C": (
        "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.open(b'P/secret', 0) > 0",
        {"imports": ["ctypes"], "read": ["P/secret"]},
    ),
    "a module": ("import gc\nprint(gc.isenabled())", {"imports": ["gc"]}),
}
#: What no run fails by: what a task may always do, and what a thread or another process of the task was denied.
_NEVER_DENIED = {"nothing", "its own files", "temporary files", "a fork", "a thread"}


def _filled(value: object, place: _Place) -> Any:
    text = json.dumps(value).replace('"N"', str(place.port)).replace("P/", f"{place.folder}/")
    return json.loads(text.replace('"P"', f'"{place.folder}"'))


@pytest.mark.parametrize("kind", _NEEDS)
def test_a_task_succeeds_with_the_permissions_that_it_was_seen_to_need(
    project: Project, place: _Place, kind: str
) -> None:
    code = _NEEDS[kind][0].replace("P/", f"{place.folder}/").replace(", N)", f", {place.port})")
    needs = _filled(_NEEDS[kind][1], place)
    project.task("held", code)
    project.commit()
    for path in (place.folder / "in" / "0.txt", place.folder / "secret"):
        os.utime(path)

    denied = project.json("run", "held", now=NOON)
    learned = project.json("run", "held", "--learn", now=NOON)

    assert denied["status"] == ("succeeded" if kind in _NEVER_DENIED else "failed"), denied["output"]
    assert learned["status"] == "succeeded", learned["output"]
    assert learned["permissions"] == {"needed": needs, "undecided": [], "notes": []}

    for path in (place.folder / "in" / "0.txt", place.folder / "out" / "new", place.folder / "out" / "deep"):
        if not path.is_dir():
            path.write_text("x") if path.name == "0.txt" else path.unlink(missing_ok=True)
        else:
            path.rmdir()
    project.task("held", code, permissions=needs)
    project.commit()
    granted = project.json("run", "held", now=NOON)
    assert (granted["status"], granted["error"]) == ("succeeded", None), granted["output"]


def test_the_block_can_be_pasted_into_the_file(project: Project, place: _Place) -> None:
    code = f"import gc\nprint(open('{place.folder}/secret').read(), gc.isenabled())"
    text = project.task("held", code).read_text()
    project.commit()

    told = project.runner("run", "held", "--learn", now=NOON).stdout
    block = told[told.index("permissions:") :]
    project.write("tasks/held.yaml", text.replace("code: |", f"{block}code: |"))
    project.commit()

    assert project.runner("run", "held", now=NOON).returncode == 0


def test_a_task_that_needs_nothing_is_told_so(project: Project) -> None:
    project.task("held")
    project.commit()

    told = project.runner("run", "held", "--learn", now=NOON).stdout

    assert told == "done\n\nThe task needs nothing besides what it is granted.\n"


#: What is never proposed, and how it is said: D is the home of the user.
_NOT_PROPOSED = {
    "D/.ssh/id": "leads to credentials",
    "D/.aws/credentials": "leads to credentials",
    "D/.netrc": "leads to credentials",
    "D/.config/gcloud/key": "leads to credentials",
    "STATE/runner.db": "it belongs to runner",
    "D/our-secrets": "it belongs to runner",
}


@pytest.mark.parametrize("path", _NOT_PROPOSED)
def test_credentials_and_what_belongs_to_runner_are_not_proposed(project: Project, tmp_path: Path, path: str) -> None:
    place = Path(path.replace("D", str(tmp_path / "home"), 1).replace("STATE", str(project.state)))
    if "STATE" not in path:
        place.parent.mkdir(parents=True)
        place.write_text("x")
    project.write("runner.yaml", f"secrets_file: {tmp_path / 'home/our-secrets'}\n")
    project.task("held", f"print(len(open('{place}', 'rb').read()))")
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    assert learned["status"] == "succeeded"
    assert learned["permissions"]["needed"] == {}
    [note] = learned["permissions"]["notes"]
    assert note.startswith(f"{place} is not proposed: ")
    assert _NOT_PROPOSED[path] in note


@pytest.mark.parametrize("folder", ["/", "/root", "/home", "/dev", "/proc"])
def test_a_folder_with_too_much_in_it_is_never_proposed(project: Project, folder: str) -> None:
    listing = f"try:\n    os.listdir('{folder}')\nexcept PermissionError:\n    pass"
    project.task("held", f"import os\nos.chdir('{folder}') if os.access('{folder}', os.R_OK) else None\n{listing}")
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)["permissions"]

    assert (learned["needed"], learned["undecided"]) == ({}, [])
    assert all(
        note == f"{folder} is not proposed: too much is in it; name what the task needs of it"
        for note in learned["notes"]
    )


@pytest.mark.parametrize("folder", ["/etc", "/tmp", "/var/log"])
def test_a_folder_of_many_programs_is_left_to_a_person(project: Project, folder: str) -> None:
    project.task("held", f"import os\nprint(len(os.listdir('{folder}')))")
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    undecided = [{"key": "read", "path": folder}]
    assert learned["permissions"] == {"needed": {}, "undecided": undecided, "notes": []}
    told = project.runner("run", "held", "--learn", now=NOON).stdout
    assert f"{folder} is not proposed: many programs use it; `read: [{folder}]` grants it" in told


def test_a_failed_run_tells_what_it_touched_until_then(project: Project, place: _Place) -> None:
    project.task("held", f"print(open('{place.folder}/secret').read())\nraise ValueError('no')")
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    assert (learned["status"], learned["error"]["type"]) == ("failed", "ValueError")
    assert learned["permissions"]["needed"] == {"read": [f"{place.folder}/secret"]}


def test_what_several_runs_of_a_version_have_touched_is_proposed_together(project: Project, place: _Place) -> None:
    code = f"if (task.state / 'second').exists():\n    open('{place.folder}/in/0.txt').read()\n"
    project.task("held", f"{code}else:\n    open('{place.folder}/secret').read()\n(task.state / 'second').touch()")
    project.commit()

    found = [project.json("run", "held", "--learn", now=NOON)["permissions"]["needed"] for _ in range(2)]

    assert found[0] == {"read": [f"{place.folder}/secret"]}
    assert found[1] == {"read": [f"{place.folder}/in/0.txt", f"{place.folder}/secret"]}
    suggested = project.json("permissions", "--suggest")
    assert suggested[0]["needed"] == found[1]
    project.task("held", "print(1)")
    assert project.json("permissions", "--suggest") == []


def test_what_was_learned_is_found_where_git_stores_a_file_in_another_way(project: Project, place: _Place) -> None:
    project.write(".gitattributes", "tasks/*.yaml text eol=crlf\n")
    project.task("held", f"print(open('{place.folder}/secret').read())", description="x")
    project.commit()
    project.git("rm", "--quiet", "--cached", "-r", "tasks")
    project.git("reset", "--quiet", "--hard")
    assert b"\r\n" in (project.root / "tasks/held.yaml").read_bytes()
    project.json("run", "held", "--learn", now=NOON)

    [suggested] = project.json("permissions", "--suggest")

    assert suggested["needed"] == {"read": [f"{place.folder}/secret"]}


def test_a_task_that_ends_itself_in_the_middle_of_a_call_leaves_no_process(project: Project, place: _Place) -> None:
    code = (
        "import os, signal, threading\n"
        f"def read():\n    while True:\n        open('{place.folder}/secret').close()\n"
        "for _ in range(4):\n    threading.Thread(target=read, daemon=True).start()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    project.task("held", code)
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    assert (learned["status"], learned["signal"]) == ("failed", 9)


def test_a_task_with_a_context_learns_what_its_models_need(project: Project) -> None:
    app = Application.create(project)
    project.task("held", "User.objects.create(username='ana')", context="django")
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    assert learned["status"] == "succeeded", learned["output"]
    needs = learned["permissions"]["needed"]
    assert needs.keys() == {"write"}
    project.task("held", "User.objects.create(username='eva')", context="django", permissions=needs)
    project.commit()
    assert project.json("run", "held", now=NOON)["status"] == "succeeded"
    assert sorted(app.users()) == ["ana", "eva"]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_at_a_terminal_a_person_is_asked_about_a_folder_of_many_programs(project: Project, answer: str) -> None:
    project.task("held", "import os\nprint(len(os.listdir('/etc')))")
    project.commit()
    question = b"The task reads in /etc, a folder of many programs. Grant all of it?"

    code, said = answered(project, ["run", "held", "--learn"], {}, (question, f"{answer}\n".encode()))

    assert code == 0
    assert (b"  read: [/etc]\r\n" in said) == (answer == "y")
    assert (b"/etc is not proposed: many programs use it" in said) == (answer == "n")


def test_a_task_that_writes_to_descriptors_of_others_does_no_harm(project: Project, place: _Place) -> None:
    code = (
        "import os, socket\nfor number in range(3, 12):\n"
        "    for text in (b'path\\0x', b'port\\0x', b'path\\0read 0 relative', b'\\xff', b'listener'):\n"
        "        try:\n            channel = socket.socket(fileno=os.dup(number))\n"
        "            socket.send_fds(channel, [text], [0])\n"
        "        except OSError:\n            pass\n"
        f"print(open('{place.folder}/secret').read())"
    )
    project.task("held", code)
    project.commit()

    learned = project.json("run", "held", "--learn", now=NOON)

    assert learned["status"] == "succeeded", learned["output"]
    assert learned["permissions"]["needed"] == {"read": [f"{place.folder}/secret"]}
