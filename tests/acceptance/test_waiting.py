"""A run that a person has asked for says what it waits for, once, and can be given up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Family, background, family_of
from tests.support.project import Project
from tests.support.waiting import wait_until

_COMMANDS = (("run", "mine"), ("run", "mine", "--json"))


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _with_others(project: Project, family: Family, places: int, others: int) -> None:
    """Commit a task of ours, and others that end when they are told to, with so many places."""
    project.write("runner.yaml", f"max_parallel: {places}\n")
    project.task("mine", "print('mine')", active=False)
    for number in range(others):
        project.task(f"slow-{number}", family.code(f"note('began-{number}')\nwait_for('end')"))
    project.commit()


@pytest.mark.parametrize("words", _COMMANDS)
@pytest.mark.parametrize(("places", "named"), [(1, 1), (3, 3), (5, 3)])
def test_a_run_without_a_place_names_what_is_under_way_once_and_then_runs(
    project: Project, family: Family, words: tuple[str, ...], places: int, named: int
) -> None:
    _with_others(project, family, places, places)
    with background(project, "tick") as tick:
        family.wait_for(*(f"began-{number}" for number in range(places)))
        # What has begun is on record a moment later.
        wait_until(lambda: all(run.started_at for run in project.runs()))
        with background(project, *words) as ours:
            assert ours.stderr is not None
            said = ours.stderr.readline()
            family.note("end")
            output, complaints = ours.communicate(timeout=100)
        assert tick.wait(100) == 0

    others = ", ".join(f"run {number + 1} slow-{number}" for number in range(named)) + (", …" if named < places else "")
    assert said == f"waiting for a free slot: {places} of {places} runs are under way ({others})\n"
    assert "mine" in output
    assert "waiting" not in complaints
    assert ours.returncode == 0


def test_a_run_with_a_place_says_nothing(project: Project, family: Family) -> None:
    _with_others(project, family, 2, 1)
    with background(project, "tick") as tick:
        family.wait_for("began-0")
        done = project.runner("run", "mine")
        family.note("end")
        assert tick.wait(100) == 0

    assert "waiting" not in done.stderr


def test_ctrl_c_ends_the_wait_for_a_place_and_the_run_is_cancelled(project: Project, family: Family) -> None:
    _with_others(project, family, 1, 1)
    with background(project, "tick") as tick:
        family.wait_for("began-0")
        with background(project, "run", "mine") as ours:
            assert ours.stderr is not None
            assert ours.stderr.readline().startswith("waiting for a free slot: ")
            ours.send_signal(signal.SIGINT)
            assert ours.wait(100) == 130
        family.note("end")
        assert tick.wait(100) == 0

    assert [(run.status, run.reason) for run in project.runs("mine")] == [("cancelled", "Ctrl-C before it was started")]


@pytest.fixture
def stubborn(project: Project, family: Family) -> Project:
    """A project whose task replaces its own runs, and takes its time to end."""
    code = "signal.signal(signal.SIGTERM, lambda *_: None)\nnote('began')\nforever()"
    project.task("mine", family.code(code), concurrency_policy="replace", kill_grace="60s")
    project.commit()
    return project


def test_a_run_that_replaces_another_names_it_and_ctrl_c_ends_the_wait(stubborn: Project, family: Family) -> None:
    with background(stubborn, "run", "mine") as first:
        family.wait_for("began")
        with background(stubborn, "run", "mine") as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "waiting for the end of the run that this run replaces: run 1 mine\n"
            second.send_signal(signal.SIGINT)
            assert second.wait(100) == 130
        family.end()
        first.wait(100)

    replacing = stubborn.runs()[1]
    assert (replacing.status, replacing.reason) == ("cancelled", "Ctrl-C before it was started")
