"""An idle tick loads nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner.operations.ticking import idle
from runner.store import migrate
from tests.support.project import MINUTE, NOON, Project

_HEAVY = {"git", "yaml", "jsonschema", "typer", "click", "rich", "pydantic", "asyncio", "logging", "json", "re"}
_ALSO_NOT = {"dataclasses", "enum", "typing", "subprocess", "argparse", "pathlib", "zoneinfo", "contextlib", "inspect"}
#: What `signal`, `linecache` and the transactions of the store bring along, and children would load themselves.
_FORKS = {"re", "enum", "contextlib"}
_PROBE = """
import os, sys
sys.argv[0] = "runner"
os._exit = sys.exit  # the modules are to be looked at before they are gone
from runner.cli.main import main
try:
    main()
except SystemExit as ending:
    print()
    print(ending.code, *sorted(sys.modules))
"""


def _modules(project: Project, minutes: int, *words: str) -> tuple[str, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *(words or ["tick"])],
        cwd=project.root,
        env=project.environment(NOON + minutes * MINUTE),
        check=True,
        capture_output=True,
        text=True,
    )
    said, _, loaded = done.stdout.rpartition("\n0 ")
    assert loaded, done.stdout
    return said, {name.partition(".")[0] for name in loaded.split()} | set(loaded.split())


def test_an_idle_tick_loads_no_heavy_module(project: Project) -> None:
    project.task("daily", frequency=1, unit="days")
    project.commit()
    project.tick()

    said, loaded = _modules(project, 5)

    assert said.startswith("[main] nothing due; next: daily at 2026-06-11 12:00 UTC")
    assert loaded & (_HEAVY | _ALSO_NOT) == set()


def test_a_tick_with_something_to_run_loads_neither_yaml_nor_git_nor_typer(project: Project) -> None:
    project.task("often")
    project.commit()
    project.tick()

    _, loaded = _modules(project, 1)

    assert loaded & (_HEAVY - {"re"}) == set()  # `re` comes with dataclasses, which the report needs
    assert [run.status for run in project.runs()] == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("next",),
        ("history",),
        ("show", "1"),
        ("logs", "1"),
        ("why", "often"),
        ("blame", "often"),
        ("replay", "1"),
        ("run", "often"),
        ("tick", "--verbose"),
    ],
    ids=" ".join,
)
def test_a_command_about_runs_and_tasks_in_force_does_not_load_what_reads_task_files(
    project: Project, words: tuple[str, ...]
) -> None:
    project.task("often")
    project.commit()
    project.tick()

    _, loaded = _modules(project, 1, *words)

    assert loaded & {"yaml", "jsonschema"} == set()


def test_an_idle_tick_writes_nothing(project: Project) -> None:
    project.task("daily", frequency=1, unit="days")
    project.commit()
    project.tick()
    before = (project.state / "runner.db").stat()

    project.runner("tick", now=NOON + MINUTE)

    after = (project.state / "runner.db").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def test_the_version_that_an_idle_tick_expects_is_the_one_that_is_written() -> None:
    assert idle._VERSION == migrate.VERSION  # noqa: SLF001 - the two may not import each other


def test_the_process_that_forks_is_small_has_one_thread_and_leaves_no_descriptor_to_its_children(
    project: Project,
) -> None:
    code = """\
import os, sys
print(*sorted(sys.modules))
print(*sorted(os.listdir("/proc/self/fd"), key=int))
with open(f"/proc/{os.getppid()}/status") as file:
    print(*(line.split()[1] for line in file if line.startswith("Threads:")))"""
    project.task("often", code)
    project.commit()
    project.installed("tick", now=NOON)

    modules, descriptors, threads = project.show(1).output.decode().splitlines()
    decides = {
        "dateutil",
        "cronsim",
        "zoneinfo",
        "runner.planning",
        "runner.schedule.schedule",
        "runner.store.catalogs",
    }
    assert set(modules.split()) & ((_HEAVY | _ALSO_NOT | decides) - _FORKS) == set()
    assert len(descriptors.split()) == 5  # three streams, the report, and the folder that is being listed
    assert threads == "1"
