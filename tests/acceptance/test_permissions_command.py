"""`runner permissions` lists what tasks may touch, suggests what they need, and writes that into their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.django import Application
from tests.support.project import NOON, Project

pytestmark = pytest.mark.held


def test_each_task_of_the_work_tree_is_listed_with_all_that_it_may_touch(project: Project) -> None:
    project.write("runner.yaml", "permissions: {default: {network: [25]}}\n")
    project.task("mail", permissions={"imports": ["jinja2"]})
    project.task("plain")
    project.task("broken", frequency=0)

    shown = project.runner("permissions").stdout.splitlines()

    assert [line.split("  ", 1)[0] for line in shown] == ["TASK", "mail", "plain"]
    assert [line.split("  ", 1)[1].strip() for line in shown[1:]] == ["imports: jinja2, network: 25", "network: 25"]
    assert project.json("permissions", "plain") == [{"task": "plain", "held": True, "permissions": {"network": [25]}}]


def test_with_all_no_task_is_held_and_status_says_so(project: Project) -> None:
    project.write("runner.yaml", "permissions: {default: all}\n")
    project.task("a", "import gc\nprint(open('/etc/hostname').close())")
    project.task("b", permissions={"network": True})
    project.commit()
    project.tick()

    assert {run.status for run in project.runs()} == {"succeeded"}
    assert [each["held"] for each in project.json("permissions")] == [False, False]
    sentence = "2 tasks may touch everything: see `runner permissions --suggest`"
    assert project.json("status", now=NOON)["not_held"] == [sentence]
    assert f"\nsandbox    {sentence}\n" in project.runner("status", now=NOON).stdout
    assert sentence in project.runner("tick", "--verbose", now=NOON).stdout


#: Code → what is suggested for it. P is a folder that is there.
_SUGGESTED: dict[str, dict[str, Any]] = {
    "print(1)": {},
    "import csv, json\nprint(csv, json)": {},
    "import yaml\nprint(yaml)": {"imports": ["yaml"]},
    "from xml.etree import ElementTree\nimport requests": {"imports": ["requests"], "network": True},
    "import ours, gc\nprint(ours, gc)": {"imports": ["gc"]},
    "import subprocess\nsubprocess.run(['ls'])": {"subprocess": True},
    "import os\nos.system('ls')": {"subprocess": True},
    "import smtplib\nsmtplib.SMTP('localhost')": {"network": True},
    "from urllib import request\nrequest.urlopen('http://localhost')": {"network": True},
    "import urllib.request\nurllib.request.urlopen('http://localhost')": {"network": True},
    "from urllib.parse import quote\nprint(quote('x'))": {},
    "import psycopg\nprint(psycopg)": {"imports": ["psycopg"], "network": [5432]},
    "print(open('P/there').read())": {"read": ["P/there"]},
    "open('P/new', 'w').write('x')": {"write": ["P"]},
    "open('P/there', mode='a').write('x')": {"write": ["P/there"]},
    "from pathlib import Path\nprint(Path('P/there').read_text())": {"read": ["P/there"]},
    "import pathlib\npathlib.Path('P/new').write_text('x')": {"write": ["P"]},
    "print(open('local').read())": {},
    "print(open('/usr/share/x').read(), open('/etc/hosts').read())": {},
}


@pytest.mark.parametrize("code", _SUGGESTED)
def test_what_a_task_needs_is_read_in_its_code(project: Project, tmp_path: Path, code: str) -> None:
    (tmp_path / "there").write_text("x")
    project.write("lib/ours.py", "")
    project.task("it", code.replace("P/", f"{tmp_path}/"))
    wanted = {
        key: [
            str(item).replace("P", str(tmp_path), 1) if isinstance(item, str) and item[0] == "P" else item
            for item in value
        ]
        if isinstance(value, list)
        else value
        for key, value in _SUGGESTED[code].items()
    }

    found = project.json("permissions", "--suggest", "it")

    assert found == (
        [{"task": "it", "file": "tasks/it.yaml", "needed": wanted, "undecided": [], "notes": []}] if wanted else []
    )
    project.task("it", code.replace("P/", f"{tmp_path}/"), permissions=wanted)
    assert project.json("permissions", "--suggest", "it") == []


def test_the_imports_of_a_task_with_packages_are_suggested_and_those_of_an_application_are_not(
    project: Project,
) -> None:
    Application.create(project)
    project.task("packages", '# /// script\n# dependencies = ["rich"]\n# ///\nimport rich', context="none")
    project.task("application", "import rich", context="django")

    found = [(it["task"], it["needed"]) for it in project.json("permissions", "--suggest")]

    assert found == [("packages", {"imports": ["rich"]})]


_FILES = {
    "without any": ("", "permissions:\n  imports: [yaml]\n  network: true\n"),
    "with a block": (
        "permissions:\n  # the list of customers\n  read: [/srv/customers]\n  network: [25]\n\n# why it is here\n",
        "permissions:\n  imports: [yaml]\n  network: true\n  read: [/srv/customers]\n\n# why it is here\n",
    ),
    "in one line": (
        "permissions: {write: [/srv/x], subprocess: true}\n",
        "permissions:\n  imports: [yaml]\n  network: true\n  write: [/srv/x]\n  subprocess: true\n",
    ),
}


@pytest.mark.parametrize("kind", _FILES)
def test_what_is_suggested_is_written_into_the_file_and_nothing_else_changes(project: Project, kind: str) -> None:
    before, after = _FILES[kind]
    code = "code: |\n  import yaml, smtplib\n\n  print(yaml, smtplib)\n"
    head = "# our task\ndescription: x  # short\n"
    keys = "frequency: 1\nunit: days\nactive: true\n"
    texts = [f"{head}{block}{keys}{code}" if before else f"{head}{keys}{block}{code}" for block in (before, after)]
    project.write("tasks/it.yaml", texts[0])

    assert project.runner("permissions", "--suggest", "--write").returncode == 0

    assert (project.root / "tasks/it.yaml").read_text() == texts[1]
    assert project.runner("validate").returncode == 0
    assert project.json("permissions", "--suggest") == []


def test_a_file_that_would_not_be_valid_is_left_as_it_is(project: Project) -> None:
    project.write("runner.yaml", "permissions: {most: {network: [25]}}\n")
    text = project.task("it", "import subprocess\nprint(subprocess)").read_text()

    done = project.runner("permissions", "--suggest", "--write")

    assert (done.returncode, project.root.joinpath("tasks/it.yaml").read_text()) == (1, text)
    assert "tasks/it.yaml is left as it is: `subprocess: true` is more than `permissions.most`" in done.stderr
    assert "hint: " in done.stderr


def test_write_without_suggest_and_an_unknown_task_are_wrong_usage(project: Project) -> None:
    project.task("it")

    for words in (["--write"], ["other"], ["--suggest", "other"]):
        done = project.runner("permissions", *words)
        assert (done.returncode, done.stdout, "hint: " in done.stderr) == (2, "", True)


#: What runner.yaml grants beyond its own bound → where, and what is said.
_BEYOND = {
    "default: all": (47, "`all` is more than `permissions.most` allows"),
    "default: {network: [26]}": (57, "`network: 26` is more than"),
    "default: {network: [25], subprocess: true}": (75, "`subprocess: true` is more than"),
}


@pytest.mark.parametrize("default", _BEYOND)
def test_runner_yaml_cannot_grant_beyond_its_own_bound(project: Project, default: str) -> None:
    project.task("it")
    project.write("runner.yaml", f"permissions: {{most: {{network: [25]}}, {default}}}\n")

    [problem] = project.json("validate")["problems"]

    column, message = _BEYOND[default]
    assert (problem["file"], problem["line"], problem["column"]) == ("runner.yaml", 1, column)
    assert problem["message"].startswith(message)


def test_another_word_than_all_is_a_problem_with_a_hint(project: Project) -> None:
    project.task("it")
    project.write("runner.yaml", "permissions: {default: everything}\n")

    [problem] = project.json("validate")["problems"]

    assert (problem["line"], problem["column"], problem["hint"]) == (1, 24, "known are all")


def test_plan_shows_that_tasks_may_touch_everything(project: Project) -> None:
    project.task("it")
    project.commit()
    project.write("runner.yaml", "permissions: {default: all}\n")
    project.commit()

    planned = project.json("plan", "HEAD^", "HEAD")

    [change] = planned["tasks"]
    assert change["capabilities"]["permissions"] == {"gained": ["everything"], "lost": []}
