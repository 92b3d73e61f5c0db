"""`run_as` runs a task as another user of the machine, where root runs the ticks."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.support.project import MINUTE, NOON, Project

pytestmark = pytest.mark.held
_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a task as another user")
_USER = "nobody"


@pytest.fixture
def entered(project: Project, tmp_path: Path) -> Project:
    """A project whose folders other users may enter."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    project.state.mkdir()
    project.state.chmod(0o755)
    return project


@_needs_root
@pytest.mark.parametrize("held", [True, False])
def test_a_task_is_that_user_in_its_groups_and_owns_its_folders(entered: Project, *, held: bool) -> None:
    if not held:
        entered.write("runner.yaml", "permissions: {default: all}\n")
    code = (
        "import os\nprint(os.getresuid(), os.getresgid(), os.getgroups())\n"
        "print(os.environ['HOME'], os.environ['USER'], os.environ['LOGNAME'])\n"
        "open('own', 'w').write('x')\n(task.state / 'kept').write_text('kept')\nprint((task.state / 'kept').stat().st_uid)"
    )
    entered.task("it", code, run_as=_USER)
    entered.commit()

    shown = entered.json("run", "it", now=NOON)

    entry = pwd.getpwnam(_USER)
    groups = sorted(os.getgrouplist(_USER, entry.pw_gid))
    ids = f"{(entry.pw_uid,) * 3} {(entry.pw_gid,) * 3}"
    assert shown["status"] == "succeeded", shown["output"]
    assert shown["output"].splitlines() == [
        f"{ids} {groups}",
        f"{entry.pw_dir} {_USER} {_USER}",
        str(entry.pw_uid),
    ]


@_needs_root
def test_such_a_task_cannot_become_root_again_or_read_what_is_roots(entered: Project, tmp_path: Path) -> None:
    entered.write("runner.yaml", "permissions: {default: all}\n")  # only the user counts
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    acts = ["os.setuid(0)", "os.seteuid(0)", f"open('{tmp_path}/secret')", "os.kill(os.getppid(), 0)"]
    tried = "".join(f"try:\n    {act}\n    print('ok')\nexcept PermissionError:\n    print('no')\n" for act in acts)
    entered.task("it", f"import os\n{tried}", run_as=_USER)
    entered.task("root", f"import os\n{tried}")
    entered.commit()

    assert entered.json("run", "it", now=NOON)["output"] == "no\n" * 4
    assert entered.json("run", "root", now=NOON)["output"] == "ok\n" * 4


@_needs_root
def test_the_data_of_a_task_belong_to_the_user_that_it_has_now(entered: Project) -> None:
    write = "with (task.state / 'count').open('a+') as file:\n    file.write('x')\n"
    code = f"{write}print((task.state / 'count').stat().st_size)"
    outputs = []
    for keys in ({}, {"run_as": _USER}, {}, {"run_as": _USER}):
        entered.task("it", code, **keys)
        entered.commit()
        outputs.append(entered.json("run", "it", now=NOON)["output"])

    assert outputs == ["1\n", "2\n", "3\n", "4\n"]


@_needs_root
def test_a_file_with_a_second_name_elsewhere_is_not_given_away(entered: Project, tmp_path: Path) -> None:
    entered.task("it", "print(1)")
    entered.commit()
    entered.json("run", "it", now=NOON)
    (tmp_path / "of-root").write_text("x")
    os.link(tmp_path / "of-root", entered.state / "data" / "it" / "link")

    entered.task("it", "print(1)", run_as=_USER)
    entered.commit()
    assert entered.json("run", "it", now=NOON)["status"] == "succeeded"

    assert (tmp_path / "of-root").stat().st_uid == 0


@_needs_root
def test_ticks_run_tasks_of_several_users_and_kill_those_that_take_too_long(entered: Project) -> None:
    entered.task("theirs", "import os\nprint(os.getuid())", run_as=_USER)
    entered.task("ours", "import os\nprint(os.getuid())")
    entered.task("slow", "while True:\n    pass", run_as=_USER, timeout="1s", kill_grace="1s")
    entered.commit()

    entered.tick()
    entered.tick(NOON + MINUTE, frozenset({"ours", "theirs"}))

    ended = {run.task: run.status for run in entered.runs()}
    assert ended == {"theirs": "succeeded", "ours": "succeeded", "slow": "timed_out"}
    assert entered.json("show", "theirs")["output"] == f"{pwd.getpwnam(_USER).pw_uid}\n"
    assert entered.json("show", "ours")["output"] == "0\n"
    assert list((entered.state / "work").iterdir()) == []


@_needs_root
def test_a_folder_that_the_user_may_not_enter_is_named(entered: Project) -> None:
    entered.state.chmod(0o700)
    entered.task("it", run_as=_USER)
    entered.commit()

    shown = entered.json("run", "it", now=NOON)

    assert shown["status"] == "failed"
    assert f"the user {_USER} may not enter {entered.state}/" in shown["reason"]
    assert "give others the right `x`" in shown["reason"]


def test_an_unknown_user_is_named(project: Project) -> None:
    project.task("it", run_as="no-such-user")
    project.commit()

    shown = project.json("run", "it", now=NOON)

    assert shown["status"] == "failed"
    assert "there is no user `no-such-user` on this machine, which `run_as` names" in shown["reason"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may be any user")
def test_who_is_not_root_can_only_name_itself(project: Project) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    project.task("me", run_as=me)
    project.task("root", run_as="root")
    project.commit()

    assert project.json("run", "me", now=NOON)["status"] == "succeeded"
    reason = project.json("run", "root", now=NOON)["reason"]
    assert f"only root can run a task as another user: `run_as` names root, this is {me}" in reason


def test_the_user_of_all_tasks_stands_in_runner_yaml_and_may_be_required(project: Project) -> None:
    project.write("runner.yaml", "require_run_as: true\n")
    project.task("a")
    project.task("b", run_as="www-data")
    project.task("c", run_as="root")

    found = [(it["file"], it["message"], it["hint"]) for it in project.json("validate")["problems"]]

    hint = "`run_as: www-data`"
    assert found == [
        ("tasks/a.yaml", "`run_as` is missing, and runner.yaml requires it", f"add for example {hint}"),
        ("tasks/c.yaml", "`run_as` is root, and runner.yaml requires another user", f"name for example {hint}"),
    ]
    project.write("runner.yaml", "require_run_as: true\ndefaults: {run_as: www-data}\n")
    assert [it["file"] for it in project.json("validate")["problems"]] == ["tasks/c.yaml"]


def test_a_plan_shows_a_change_of_the_user(project: Project) -> None:
    project.task("it", run_as="www-data")
    project.commit()
    project.task("it")
    project.commit()

    [change] = project.json("plan", "HEAD^", "HEAD")["tasks"]

    assert change["fields"] == [{"name": "run_as", "before": "www-data", "after": None}]
