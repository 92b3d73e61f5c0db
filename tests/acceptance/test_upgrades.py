"""Stores that people have: whatever wrote them, a tick goes on with all that is in them."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.old_stores import AFTERWARDS, STORES, begin_with
from tests.support.project import RUNNER, Project

pytestmark = pytest.mark.held
_ROOT = Path(__file__).parents[2]


@pytest.fixture(params=STORES, ids=lambda path: path.stem)
def upgraded(request: pytest.FixtureRequest, project: Project) -> Project:
    """A repository of tasks with a store that another version has written: five minutes past its last tick."""
    begin_with(project, request.param)
    return project


def test_a_tick_goes_on_where_another_version_stopped(upgraded: Project) -> None:
    report = upgraded.tick(AFTERWARDS)

    # `often` is broken since, and goes on with the version that the old store has compiled.
    assert sorted((run.task, run.status) for run in report.started) == [("fails", "failed"), ("often", "succeeded")]
    assert [run.task for run in report.lost] == ["slow"]
    assert [(run.task, run.status) for run in upgraded.runs()][:3] == [
        ("daily", "succeeded"),
        ("fails", "failed"),
        ("often", "succeeded"),
    ]


def test_nothing_of_the_history_is_lost(upgraded: Project) -> None:
    upgraded.tick(AFTERWARDS)

    hello = next(run for run in upgraded.runs("often"))
    assert upgraded.show(hello.run_id).output == b"hello\n"
    failed = upgraded.show(next(run.run_id for run in upgraded.runs("fails")))
    assert failed.run.error is not None
    assert (failed.run.error.type, failed.run.error.line) == ("ValueError", 5)
    assert b"ValueError: no rows" in failed.output
    shown = upgraded.json("history", "often", now=AFTERWARDS)
    assert {run["commit"] for run in shown if run["trigger"] == "schedule"} <= set(
        upgraded.git("rev-list", "HEAD").split()
    )


def test_a_run_that_was_under_way_is_lost_with_its_one_attempt(upgraded: Project) -> None:
    upgraded.tick(AFTERWARDS)

    [lost] = [run for run in upgraded.runs() if run.status == "lost"]
    assert lost.attempts == 1
    assert [(it.number, it.status) for it in upgraded.show(lost.run_id).attempts] == [(1, "lost")]
    assert str(lost.reason).startswith("the runner that supervised it (pid ")


@pytest.mark.parametrize("store", STORES, ids=lambda path: path.stem)
def test_a_run_that_was_under_way_before_a_reboot_is_lost_by_the_reboot(store: Path, project: Project) -> None:
    begin_with(project, store, boot="6af0c6be-0000-4000-8000-000000000000")

    project.tick(AFTERWARDS)

    [lost] = [run for run in project.runs() if run.status == "lost"]
    assert (lost.attempts, lost.reason) == (1, "the machine was rebooted while it ran")


def test_what_was_compiled_by_another_version_can_be_run_again(upgraded: Project) -> None:
    done = upgraded.runner("replay", "1", now=AFTERWARDS)

    assert done.returncode == int("failed" in done.stderr), done.stderr
    assert "replayed as run 10" in done.stderr


@pytest.mark.parametrize("command", [("list",), ("status",), ("history",), ("next",), ("why", "often"), ("plan",)])
def test_a_question_is_answered_without_writing_to_a_store_of_another_version(
    upgraded: Project, command: tuple[str, ...]
) -> None:
    before = (upgraded.state / "runner.db").read_bytes()

    done = upgraded.runner(*command, now=AFTERWARDS)

    assert done.returncode == 0, done.stderr
    assert (upgraded.state / "runner.db").read_bytes() == before


def test_two_ticks_that_meet_an_old_store_at_one_moment_bring_it_up_to_date_once(upgraded: Project) -> None:
    ticks = [
        subprocess.Popen(
            [RUNNER, "tick"],
            cwd=upgraded.root,
            env=upgraded.environment(AFTERWARDS),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]

    ended = [(tick.communicate(timeout=100), tick.returncode) for tick in ticks]

    assert [code for _, code in ended] == [0, 0, 0, 0], ended
    slots = [(run.task, run.scheduled_for) for run in upgraded.runs() if run.scheduled_for]
    assert len(slots) == len(set(slots))


def test_a_released_migration_is_as_it_was_released() -> None:
    frozen = {"0001_initial.sql": "d9c937884b2371be32a58262de9e6fed"}
    for name, digest in frozen.items():
        content = (_ROOT / "runner/store/migrations" / name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == digest, (
            f"{name} was changed after its release"
        )


def test_a_store_of_a_newer_version_is_left_alone_and_said_so(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick()
    with project.database() as database:
        database.execute("PRAGMA user_version = 99")

    for words in (["tick"], ["list"], ["history"]):
        done = project.runner(*words)
        assert done.returncode == 1
        assert "was written by a newer runner (schema 99" in done.stderr
        assert "hint: update runner" in done.stderr


def test_a_task_from_before_permissions_is_held_from_its_next_change_on(upgraded: Project) -> None:
    upgraded.tick(AFTERWARDS)
    [before] = upgraded.json("status", now=AFTERWARDS)["not_held"]

    upgraded.task("often", "import gc", frequency=5, unit="minutes")
    upgraded.commit()
    upgraded.tick(AFTERWARDS + timedelta(minutes=5))

    assert before.endswith(" may touch everything: see `runner permissions --suggest`")
    [after] = upgraded.json("status", now=AFTERWARDS)["not_held"]
    assert int(after.split()[0]) == int(before.split()[0]) - 1
    assert "permissions: imports: [gc]" in str(upgraded.runs("often")[-1].reason)
