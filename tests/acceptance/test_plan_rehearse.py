"""`plan --rehearse` runs what a change adds or alters, with nothing granted, and shows what that has done."""

from __future__ import annotations

import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.execution.sandbox import landlock
from tests.support.django import Application
from tests.support.project import NOON, RUNNER, Project
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.held,
    pytest.mark.skipif(landlock.abi() < 6, reason="needs Landlock with ABI 6 or later"),
]
_DAILY: dict[str, Any] = {"cron": "0 3 * * *"}


@pytest.fixture
def base(project: Project) -> Project:
    """A repository with a commit, on which a change begins."""
    project.task("old", "print('old')", **_DAILY)
    project.task("same", "print('same')", **_DAILY)
    project.task("off", "print('off')", **_DAILY, active=False)
    project.commit()
    return project


def _rehearsed(project: Project, *words: str) -> dict[str, Any]:
    planned = project.json("plan", *(words or ("HEAD^", "HEAD")), "--rehearse", now=NOON)
    return {change["task"]: change["rehearsal"] for change in planned["tasks"]}


_READ, _OF_HOSTNAME = "open('/etc/hostname').read()", "permissions: read: [/etc/hostname]"
#: Code of a new task, with its permissions → how its rehearsal ends: status, needed line, whether it has that.
_ENDS: dict[str, tuple[str, dict[str, Any], tuple[str, str | None, bool | None]]] = {
    "prints": ("print('hi')", {}, ("succeeded", None, None)),
    "reads its commit": ("print((task.root / 'tasks/names.csv').read_text())", {}, ("succeeded", None, None)),
    "imports a module of lib": ("import ours\nprint(ours.x)", {}, ("succeeded", None, None)),
    "imports what it declares": ("import gc\nprint(gc)", {"imports": ["gc"]}, ("succeeded", None, None)),
    "imports what it does not": ("import gc", {}, ("failed", "permissions: imports: [gc]", False)),
    "reads what it declares": (
        "open('/etc/hostname').read()",
        {"read": ["/etc/hostname"]},
        ("failed", "permissions: read: [/etc/hostname]", True),
    ),
    "reads in a folder that it declares": (
        "open('/etc/hostname').read()",
        {"read": ["/etc"]},
        ("failed", "permissions: read: [/etc/hostname]", True),
    ),
    "reads what it does not": (
        "open('/etc/hostname').read()",
        {},
        ("failed", "permissions: read: [/etc/hostname]", False),
    ),
    "connects": (
        "import socket\nsocket.create_connection(('127.0.0.1', 25))",
        {"network": True},
        ("failed", "permissions: network: [25]", True),
    ),
    "connects elsewhere": (
        "import socket\nsocket.create_connection(('127.0.0.1', 25))",
        {"network": [26]},
        ("failed", "permissions: network: [25]", False),
    ),
    "starts a program": (
        "import os\nos.posix_spawn('/usr/bin/true', ['true'], {})",
        {"subprocess": True},
        ("failed", "permissions: subprocess: true", True),
    ),
    "fails": ("1 / 0", {}, ("failed", None, None)),
}


def test_a_new_task_shows_what_it_did_and_what_it_needs(base: Project) -> None:
    base.write("tasks/names.csv", "ana\n")
    base.write("lib/ours.py", "x = 1\n")
    for name, (code, permissions, _) in _ENDS.items():
        base.task(name.replace(" ", "-"), code, permissions=permissions, **_DAILY)
    base.commit()

    found = _rehearsed(base)

    ends = {name: found[name.replace(" ", "-")] for name in _ENDS}
    assert {name: (it["status"], it["needs"], it["is_granted"]) for name, it in ends.items()} == {
        name: end for name, (_, _, end) in _ENDS.items()
    }
    assert (ends["prints"]["output"], ends["reads its commit"]["output"]) == ("hi\n", "ana\n\n")
    assert ends["fails"]["reason"] == "ZeroDivisionError: division by zero"


def test_only_what_the_change_adds_alters_or_activates_is_rehearsed(base: Project) -> None:
    base.task("old", "print('new code')", **_DAILY)
    base.task("off", "print('off')", **_DAILY)
    base.git("mv", "tasks/same.yaml", "tasks/moved.yaml")
    base.write("tasks/broken.yaml", "x: 1\n")
    base.commit()

    found = _rehearsed(base)

    outputs = {task: None if it is None else it["output"] for task, it in found.items()}
    assert outputs == {"old": "new code\n", "off": "off\n", "moved": None, "broken": None}


def test_the_files_of_the_work_tree_can_be_rehearsed_before_they_are_committed(base: Project) -> None:
    base.write("lib/ours.py", "x = 7\n")
    base.task("new", "import ours\nprint(ours.x)", **_DAILY)

    assert _rehearsed(base, "HEAD")["new"]["output"] == "7\n"


def test_nothing_is_on_record_and_nothing_is_left(base: Project, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    base.task("new", "(task.state / 'x').write_text('x')\nopen('y', 'w').write('y')\nprint('ok')", **_DAILY)
    base.commit()

    shown = base.runner("plan", "HEAD^", "HEAD", "--rehearse", env={"TMPDIR": str(tmp_path / "tmp")}, now=NOON)

    assert "    rehearsed: succeeded\n      ok\n" in shown.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
    assert base.runs() == []


def test_without_the_option_nothing_runs(base: Project, tmp_path: Path) -> None:
    base.task("new", f"open('{tmp_path}/mark', 'w')", permissions={"write": [str(tmp_path)]}, **_DAILY)
    base.commit()

    assert base.json("plan", "HEAD^", "HEAD", now=NOON)["tasks"][0]["rehearsal"] is None
    assert not (tmp_path / "mark").exists()


def test_a_task_that_takes_too_long_is_ended_and_the_others_are_shown(base: Project) -> None:
    base.task("slow", "print('begun')\nimport time\ntime.sleep(600)", timeout="1s", **_DAILY)
    base.task("quick", **_DAILY)
    base.commit()

    found = _rehearsed(base)

    assert (found["slow"]["status"], found["slow"]["output"]) == ("timed_out", "begun\n")
    assert found["slow"]["reason"] == "timed out after 1s"
    assert found["quick"]["status"] == "succeeded"


def test_secrets_and_variables_of_the_caller_are_not_given(base: Project) -> None:
    base.task(
        "new", "import os\nprint(os.environ.get('TOKEN'), os.environ.get('CI_TOKEN'))", secrets=["TOKEN"], **_DAILY
    )
    base.commit()

    shown = base.runner("plan", "HEAD^", "HEAD", "--rehearse", env={"TOKEN": "abc", "CI_TOKEN": "def"}, now=NOON)

    assert "rehearsed: succeeded\n      None None\n" in shown.stdout


def test_the_comment_has_the_output_where_it_can_do_no_harm(base: Project) -> None:
    base.task("new", "print('```\\n# no heading\\n<b>')\nprint('\\x1b[31mred')", **_DAILY)
    base.commit()

    comment = base.runner("plan", "HEAD^", "HEAD", "--rehearse", "--format", "markdown", now=NOON).stdout

    assert "- **Rehearsed:** succeeded\n" in comment
    begin = comment.index("<details><summary>printed in the rehearsal</summary>\n\n````text\n```\n# no heading\n<b>\n")
    assert "\n````\n" in comment[begin:]
    assert "\x1b" not in comment


def test_a_task_of_a_django_project_is_rolled_back(project: Project) -> None:
    app = Application.create(project)
    app.configure(permissions=f"{{write: [{app.folder}]}}")
    project.task("old", "print(User.objects.count())", context="django", **_DAILY)
    project.commit()
    code = "User.objects.create(username='ana')\nprint(User.objects.count())\nopen('/etc/shadow')"
    project.task("new", code, context="django", **_DAILY)
    project.commit()

    found = _rehearsed(project)["new"]

    assert found["output"].startswith("1\n"), found
    assert found["needs"].startswith("permissions: ")
    assert found["changes"]["changes"] == [{"model": "auth.User", "created": 1, "changed": 0, "deleted": 0}]
    assert app.users() == []


def test_a_change_of_a_context_starts_no_other_program_before_it_is_merged(project: Project, tmp_path: Path) -> None:
    app = Application.create(project)
    project.task("old", "print(1)", context="django", **_DAILY)
    project.commit()
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\ntouch {shlex.quote(str(tmp_path))}/mark\n")
    other.chmod(0o755)
    app.configure(python=str(other))
    project.task("new", "print('rehearsed')", context="django", **_DAILY)
    project.commit()

    assert _rehearsed(project)["new"]["output"] == "rehearsed\n"
    assert not (tmp_path / "mark").exists()


def test_where_a_part_of_the_sandbox_is_missing_nothing_is_rehearsed(base: Project) -> None:
    base.task("new", **_DAILY)
    base.commit()
    words = ["import sys", "from runner.execution.sandbox import landlock", "landlock.abi = lambda: 3"]
    script = "\n".join((*words, "from runner.cli.main import main", "sys.exit(main())"))

    done = subprocess.run(
        [str(Path(RUNNER).parent / "python"), "-c", script, "plan", "HEAD^", "HEAD", "--rehearse"],
        cwd=base.root,
        env=base.environment(NOON),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "rehearsed: not rehearsed: this machine does not hold TCP ports; signals to other processes" in done.stdout


def test_ctrl_c_ends_the_rehearsals_and_leaves_nothing(base: Project, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    base.task("slow", "import time\ntime.sleep(600)", **_DAILY)
    base.commit()
    environment = base.environment(NOON) | {"TMPDIR": str(tmp_path / "tmp")}
    planning = subprocess.Popen(
        [RUNNER, "plan", "HEAD^", "HEAD", "--rehearse"], cwd=base.root, env=environment, stderr=subprocess.PIPE
    )
    with planning:
        wait_until(lambda: any(path.name.startswith("1-1-") for path in (tmp_path / "tmp").glob("*/work/*")))
        planning.send_signal(signal.SIGINT)
        assert planning.wait(30) == 130

    assert list((tmp_path / "tmp").iterdir()) == []
