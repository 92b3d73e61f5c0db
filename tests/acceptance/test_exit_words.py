"""What a run is on record with, and what a person is told, where the task or Ctrl-C has ended it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Family, background, family_of
from tests.support.project import MINUTE, NOON, Project


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    """Processes that tasks start."""
    with family_of(tmp_path) as family:
        yield family


#: How a task ends itself → the reason of its run.
_WORDS = {
    "sys.exit('no rows')": "no rows",
    "raise SystemExit('no rows')": "no rows",
    "sys.exit('no rows\\nsee the log')": "no rows",
    "sys.exit('\\n  no rows')": "no rows",
    "sys.exit('größer als 3 €')": "größer als 3 €",
    "sys.exit(['a', 1])": "['a', 1]",
    "sys.exit(1.5)": "1.5",
    "sys.exit('')": "exit code 1",
    "sys.exit('  ')": "exit code 1",
    "sys.exit(3)": "exit code 3",
    "import atexit; atexit.register(lambda: 1 / 0); sys.exit('no rows')": "no rows",
}


@pytest.mark.parametrize("ending", _WORDS)
def test_words_with_which_a_task_ends_itself_are_the_reason_of_its_run(project: Project, ending: str) -> None:
    details = project.run_once(f"import sys\n{ending}")

    assert (details.run.status, details.run.reason) == ("failed", _WORDS[ending])
    assert details.run.exit_code == (3 if "(3)" in ending else 1)
    assert details.traceback is None


def test_the_line_at_which_a_task_ended_itself_with_words_is_on_record(project: Project) -> None:
    project.task("once", "import sys\ndef end():\n    sys.exit('no rows')\nend()")
    project.commit()
    project.tick()

    run = project.json("show", "1")
    assert run["error"] == {"type": "SystemExit", "message": "no rows", "file": "tasks/once.yaml", "line": 7}
    assert b"no rows" in project.show(1).output
    assert "no rows" in project.runner("history").stdout


def test_the_words_of_every_attempt_are_on_record(project: Project) -> None:
    project.task("once", "import sys\nsys.exit(f'no rows at {task.attempt}')", retry={"attempts": 2, "delay": "0s"})
    project.commit()
    project.tick()

    assert project.runs()[0].reason == "attempt 2 of 2: no rows at 2"


def test_a_secret_in_such_words_is_masked(project: Project) -> None:
    project.task("once", "import os, sys\nsys.exit('not with ' + os.environ['TOKEN'])", secrets=["TOKEN"])
    project.commit()
    project.runner("tick", now=NOON, env={"TOKEN": "correct horse battery"})

    assert project.runs()[0].reason == "not with ***"


@pytest.mark.parametrize("words", [["tick"], ["tick", "--verbose"], ["tick", "--json"], ["run", "a"]])
def test_ctrl_c_says_which_runs_it_has_ended(project: Project, family: Family, words: list[str]) -> None:
    names = ["a"] if words[0] == "run" else ["a", "b/c"]
    for name in names:
        project.task(name, family.code(f"note('{name[0]}')\nforever()"))
    project.commit()
    with background(project, *words) as command:
        for name in names:
            family.wait_for(name[0])
        command.send_signal(signal.SIGINT)
        said = command.communicate(timeout=100)[1]
        assert command.returncode == 130

    [line] = [line for line in said.splitlines() if line]
    assert line.startswith("Ctrl-C ended run ")
    assert sorted(line.removeprefix("Ctrl-C ended ").split(", ")) == sorted(
        f"run {run.run_id} of {run.task}" for run in project.runs()
    )
    assert {run.status for run in project.runs()} == {"cancelled"}


def test_ctrl_c_while_a_run_waits_says_that_it_was_ended(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("other", family.code("note('began')\nforever()"))
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("began")
        project.task("mine", active=False)
        project.commit()
        with background(project, "run", "mine", now=NOON + MINUTE) as ours:
            assert ours.stderr is not None
            assert ours.stderr.readline().startswith("waiting for a free slot: ")
            ours.send_signal(signal.SIGINT)
            said = ours.communicate(timeout=100)[1]
        tick.send_signal(signal.SIGINT)
        tick.wait()

    assert said.strip() == "Ctrl-C ended run 2 of mine"
