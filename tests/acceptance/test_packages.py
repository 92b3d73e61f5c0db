"""A task whose code names packages (PEP 723) runs in an environment with these, which is built once by uv."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from runner.execution.sandbox import landlock
from tests.support.django import Application
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.waiting import wait_until

pytestmark = pytest.mark.held


def _wheel(folder: Path, name: str, version: str, code: str) -> None:
    """Make a package of one module."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def registry(tmp_path: Path) -> dict[str, str]:
    """Return the variables by which uv finds packages in a folder, and nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        _wheel(folder, "greeting", version, f"WORD = 'hello {version}'\n")
    cache = {"UV_CACHE_DIR": str(tmp_path / "cache")}
    return {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(folder), **cache}


def _code(*requirements: str, code: str = "import greeting\nprint(greeting.WORD)") -> str:
    return f"# /// script\n# dependencies = {[*requirements]!r}\n# ///\n{code}".replace("'", '"')


_GRANTED: dict[str, Any] = {"permissions": {"imports": ["greeting"]}}


def _ticked(project: Project, variables: dict[str, str], minutes: int = 0) -> dict[str, str]:
    """Run a tick; return the output or the reason of the last run of each task."""
    assert project.runner("tick", now=NOON + minutes * MINUTE, env=variables).returncode == 0
    last = {run.task: run for run in sorted(project.runs(), key=lambda run: run.run_id)}
    return {
        task: project.show(run.run_id).output.decode() if run.status == "succeeded" else str(run.reason)
        for task, run in last.items()
    }


def test_each_task_has_the_versions_that_it_names_beside_tasks_without_any(
    project: Project, registry: dict[str, str]
) -> None:
    for version in ("1.0", "2.0"):
        project.task(f"with-{version[0]}", _code(f"greeting=={version}"), **_GRANTED)
    project.task("without", "import sys\nprint('greeting' in sys.modules)")
    project.commit()

    said = _ticked(project, registry)

    assert said == {"with-1": "hello 1.0\n", "with-2": "hello 2.0\n", "without": "False\n"}


def test_an_environment_is_built_once_for_each_set_and_then_needs_no_registry(
    project: Project, registry: dict[str, str]
) -> None:
    project.task("one", _code("greeting==1.0"), **_GRANTED)
    project.task("two", _code("greeting==1.0", code="import greeting, sys\nprint(sys.prefix)"), **_GRANTED)
    project.commit()
    _ticked(project, registry)
    [ready] = (project.state / "environments").glob("*/ready")

    said = _ticked(project, {"UV_NO_INDEX": "1", "UV_OFFLINE": "1"}, 1)

    assert said == {"one": "hello 1.0\n", "two": f"{ready.parent}\n"}
    assert len(project.runs()) == 4
    assert ready.stat().st_mtime > (ready.parent / "pyvenv.cfg").stat().st_mtime


def test_packages_that_cannot_be_had_fail_the_run_with_the_words_of_uv_and_nothing_else(
    project: Project, registry: dict[str, str]
) -> None:
    project.task("bad", _code("no-such-package==9"), **_GRANTED)
    project.task("good", "print('good')")
    project.commit()

    said = _ticked(project, registry)

    assert said["good"] == "good\n"
    assert said["bad"].startswith("the set-up of the environment with no-such-package==9 failed: ")
    assert "uv could not install no-such-package==9: " in said["bad"]
    assert list((project.state / "environments").glob("*/ready")) == []
    _wheel(Path(registry["UV_FIND_LINKS"]), "no_such_package", "9", "")
    project.task("bad", _code("no-such-package==9", code="print('now')"))
    project.commit()
    assert _ticked(project, registry, 1)["bad"] == "now\n"


def test_nothing_is_built_from_source(project: Project, registry: dict[str, str], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "setup.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')\n")
    project.task("it", _code(f"evil @ file://{source}"))
    project.commit()

    said = _ticked(project, registry)

    assert "uv could not install" in said["it"]
    assert not (tmp_path / "mark").exists()


@pytest.mark.skipif(landlock.abi() < 6, reason="needs Landlock with ABI 6 or later")
def test_such_a_task_is_held_as_any_other(project: Project, registry: dict[str, str]) -> None:
    secret = project.state / "runner.db"
    project.task("import", _code("greeting"), permissions={})
    project.task("read", _code("greeting", code=f"open('{secret}')"), permissions={})
    project.task("write", _code("greeting", code="import sys\nopen(f'{sys.prefix}/x', 'w')"), permissions={})
    project.commit()

    said = _ticked(project, registry)

    assert "add `permissions: imports: [greeting]`" in said["import"]
    assert "permission-denied" in said["read"]
    assert "permission-denied" in said["write"]


def test_what_it_prints_its_exit_code_and_its_folders_are_as_ever(project: Project, registry: dict[str, str]) -> None:
    project.write("tasks/data.txt", "data")
    code = (
        "import atexit, greeting, sys\natexit.register(print, 'at exit')\nprint((task.root / 'tasks/data.txt').read_text())\n"
        "(task.state / 'x').write_text('x')\nprint(__name__, timezone.now().tzinfo)\nsys.exit(3)"
    )
    project.task("it", _code("greeting", code=code), **_GRANTED)
    project.commit()

    done = project.runner("run", "it", "--json", now=NOON, env=registry)

    shown = project.json("show", "it")
    assert done.returncode == 1
    assert shown["output"] == "data\n__main__ UTC\nat exit\n"
    assert (shown["status"], shown["exit_code"]) == ("failed", 3)


def test_a_person_is_told_that_an_environment_is_built_first(project: Project, registry: dict[str, str]) -> None:
    project.task("it", _code("greeting"), **_GRANTED)
    project.commit()

    first, second = (project.runner("run", "it", now=NOON, env=registry) for _ in range(2))

    assert first.stderr.splitlines()[0] == "the environment with greeting is built first"
    assert (first.stdout, second.stdout) == ("hello 2.0\n", "hello 2.0\n")
    assert "is built" not in second.stderr


def test_a_run_waits_for_its_environment_and_status_says_so_while_others_go_on(
    project: Project, registry: dict[str, str], tmp_path: Path
) -> None:
    """A program that waits stands in the place of uv, so that the environment is being built for a while."""
    programs = tmp_path / "programs"
    programs.mkdir()
    real = Path(sys.executable).parent / "uv"
    (programs / "uv").write_text(
        f'#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done\nexec {quote(str(real))} "$@"\n'
    )
    (programs / "uv").chmod(0o755)
    project.task("other", "print('other')")
    project.commit()
    _ticked(project, registry)
    project.task("it", _code("greeting"), **_GRANTED)
    project.commit()
    variables = project.environment(NOON + MINUTE) | registry | {"UV": str(programs / "uv")}
    ticking = subprocess.Popen([RUNNER, "tick"], cwd=project.root, env=variables, stdout=subprocess.DEVNULL)
    with ticking:
        wait_until(lambda: [run.status for run in project.runs("other")] == ["succeeded"] * 2)

        [run] = project.runs("it")
        said = project.json("status", now=NOON + MINUTE)["building"]
        assert said == [f"run {run.run_id} waits until the environment with greeting is built"]
        (tmp_path / "go").touch()
        assert ticking.wait(60) == 0

    assert [run.status for run in project.runs("it")] == ["succeeded"]
    assert project.json("status", now=NOON + MINUTE)["building"] == []


def test_a_build_that_was_killed_is_begun_again(project: Project, registry: dict[str, str], tmp_path: Path) -> None:
    hanging = tmp_path / "hanging"
    hanging.write_text(f'#!/bin/sh\ntouch {tmp_path}/begun\nmkdir -p "$6"\nexec sleep 600\n')
    hanging.chmod(0o755)
    project.task("it", _code("greeting"), **_GRANTED)
    project.commit()
    variables = project.environment(NOON) | registry | {"UV": str(hanging)}
    running = subprocess.Popen([RUNNER, "run", "it"], cwd=project.root, env=variables, stderr=subprocess.DEVNULL)
    with running:
        wait_until((tmp_path / "begun").exists)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130

    assert project.runner("run", "it", now=NOON, env=registry).stdout == "hello 2.0\n"


def test_an_environment_that_nobody_has_used_for_a_month_is_removed(project: Project, registry: dict[str, str]) -> None:
    project.task("it", _code("greeting==1.0"), **_GRANTED)
    project.commit()
    _ticked(project, registry)
    [old] = (project.state / "environments").glob("*/ready")
    os.utime(old, (0, 0))
    project.task("it", _code("greeting==2.0"), **_GRANTED)
    project.commit()

    _ticked(project, registry, 1)

    assert not old.parent.exists()
    assert len(list((project.state / "environments").glob("*/ready"))) == 1


def test_a_plan_shows_packages_that_come_and_go_and_rehearses_no_such_task(project: Project) -> None:
    project.task("it", _code("greeting==1.0"), cron="0 3 * * *")
    project.commit()
    project.task("it", _code("greeting==2.0", "rich"), cron="0 3 * * *")
    project.commit()

    [change] = project.json("plan", "HEAD^", "HEAD", "--rehearse")["tasks"]

    assert change["capabilities"]["packages"] == {"gained": ["greeting==2.0", "rich"], "lost": ["greeting==1.0"]}
    fields = [(it["name"], it["before"], it["after"]) for it in change["fields"]]
    assert fields == [("dependencies", "greeting==1.0", "greeting==2.0, rich")]
    assert change["rehearsal"]["status"] == "not rehearsed"
    assert "after the merge" in change["rehearsal"]["reason"]


def test_a_task_has_packages_or_a_context(project: Project) -> None:
    Application.create(project)
    project.task("both", _code("rich"), context="django")
    project.task("one", _code("rich", code="print(1)"), context="none")

    problems = [it for it in project.json("validate")["problems"] if it["severity"] == "error"]

    assert [(it["file"], it["code"]) for it in problems] == [("tasks/both.yaml", "script-metadata")]
    assert "add `context: none`" in problems[0]["hint"]


#: Versions that code takes → whether the Python of runner, 3.11 or later, is among them.
_TAKES = {
    ">=3.11": True,
    ">=3.11,<99": True,
    "~=3.9": True,
    ">3.10": True,
    "!=3.5.*": True,
    ">=99": False,
    "<3.11": False,
}


@pytest.mark.parametrize("versions", _TAKES)
def test_another_python_than_that_of_runner_is_a_problem(project: Project, versions: str) -> None:
    project.task("it", f'# /// script\n# requires-python = "{versions}"\n# ///\nprint(1)')

    problems = project.json("validate")["problems"]

    assert (problems == []) == _TAKES[versions], problems
