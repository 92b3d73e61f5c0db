"""`runner why`: one answer for each way in which a task runs or does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.processes import background
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until


def _why(project: Project, *words: str, now: datetime = NOON) -> tuple[str, str]:
    answer: dict[str, Any] = project.json("why", *words, now=now)
    return answer["cause"], " ".join(answer["sentences"])


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def hourly(project: Project) -> Project:
    """A project with a task of every hour, first run at noon."""
    project.task("hourly", frequency=1, unit="hours")
    project.commit("Add it")
    project.tick(NOON)
    return project


def test_a_file_that_is_not_committed_is_not_yet_seen(hourly: Project) -> None:
    hourly.task("new")

    cause, told = _why(hourly, "new")
    assert cause == "not_yet_seen"
    assert "tasks/new.yaml is not committed. What to do: commit it" in told


def test_an_inactive_task_names_the_commit_that_made_it_so(hourly: Project) -> None:
    hourly.task("hourly", frequency=1, unit="hours", active=False)
    hourly.commit("Give it a rest")
    hourly.task("hourly", "print('other')", frequency=1, unit="hours", active=False)
    hourly.commit("Say something else")

    cause, told = _why(hourly, "hourly", now=NOON + timedelta(hours=2))
    assert cause == "inactive"
    assert told.endswith("Ada: Give it a rest.")


def test_a_file_that_is_gone_names_the_commit_that_removed_it(hourly: Project) -> None:
    (hourly.root / "tasks/hourly.yaml").unlink()
    hourly.commit("Drop it")

    cause, told = _why(hourly, "hourly", now=NOON + timedelta(hours=2))
    assert cause == "gone"
    assert told.endswith("Ada: Drop it.")


def test_a_file_that_never_was_valid_does_not_run(hourly: Project) -> None:
    hourly.write("tasks/bad.yaml", "active: true\n")
    hourly.commit()

    cause, told = _why(hourly, "bad")
    assert cause == "invalid"
    assert "`runner validate tasks/bad.yaml`" in told


def test_a_degraded_task_says_which_version_goes_on_and_when_it_is_due(hourly: Project) -> None:
    good = hourly.git("rev-parse", "HEAD")
    hourly.write("tasks/hourly.yaml", "active: true\n")
    bad = hourly.commit("Break it")
    hourly.tick(NOON + MINUTE)

    cause, told = _why(hourly, "hourly", now=NOON + 2 * MINUTE)
    assert cause == "not_due"
    assert f"invalid since commit {bad[:12]}; the version of commit {good[:12]} stays in use" in told
    assert "It is not due before 2026-06-10 13:00 UTC." in told


def test_a_slot_that_ran_names_its_run_and_the_commit_it_is_from(hourly: Project) -> None:
    cause, told = _why(hourly, "hourly", "--at", _at(NOON), now=NOON + 5 * MINUTE)

    assert cause == "ran"
    assert told.startswith("Run 1 belongs to the slot 2026-06-10 12:00 UTC: succeeded")
    assert told.endswith("Ada: Add it.")


def test_between_two_slots_it_was_not_due(hourly: Project) -> None:
    hourly.tick(NOON + timedelta(hours=1))

    cause, told = _why(hourly, "hourly", "--at", "2026-06-10T12:30:00Z", now=NOON + timedelta(hours=1, minutes=5))
    assert cause == "not_due"
    assert "the previous slot was 2026-06-10 12:00 UTC (run 1, succeeded)" in told
    assert "The next slot was 2026-06-10 13:00 UTC." in told


def test_a_slot_behind_a_run_names_that_run(project: Project) -> None:
    project.task("slow", "import time\ntime.sleep(60)", timeout="2m")
    project.commit()
    with background(project, "tick", now=NOON):
        wait_until(project.runs, "the run to be on record")
        project.tick(NOON + MINUTE)
        cause, told = _why(project, "slow", "--at", _at(NOON + MINUTE), now=NOON + 2 * MINUTE)

    assert cause == "skipped"
    assert "did not run: the task is still running (run 1)" in told
    assert "`runner show 1`" in told


@pytest.mark.parametrize(("hours", "slots"), [(2, "1 older slot"), (3, "2 older slots"), (4, "3 older slots")])
def test_slots_that_nobody_ticked_for_say_from_when_to_when(hourly: Project, hours: int, slots: str) -> None:
    hourly.tick(NOON + timedelta(hours=hours))

    cause, told = _why(hourly, "hourly", "--at", "2026-06-10T13:00:00Z", now=NOON + timedelta(hours=hours, minutes=1))
    assert cause == "missed"
    assert f"no tick decided anything from 2026-06-10 12:00 UTC to 2026-06-10 {12 + hours}:00 UTC" in told
    assert f"covers {slots}:" in told


def test_a_slot_past_its_deadline_says_so(project: Project) -> None:
    project.task("strict", frequency=1, unit="hours", starting_deadline="5m")
    project.commit()
    project.tick(NOON)
    project.tick(NOON + timedelta(hours=1, minutes=30))

    cause, told = _why(project, "strict", "--at", "2026-06-10T13:00:00Z", now=NOON + timedelta(hours=1, minutes=31))
    assert cause == "skipped"
    assert "its starting deadline of 5m had passed" in told


def test_a_task_that_is_due_while_no_tick_comes_asks_for_cron(hourly: Project) -> None:
    cause, told = _why(hourly, "hourly", now=NOON + timedelta(hours=3))

    assert cause == "no_tick"
    assert "It has been due since 2026-06-10 13:00 UTC, and no tick has run" in told
    assert "Does cron call `runner tick` every minute?" in told


def test_before_it_was_first_seen_nothing_ran(hourly: Project) -> None:
    hourly.task("later", cron="0 * * * *")
    hourly.commit()
    hourly.tick(NOON + MINUTE)

    cause, told = _why(hourly, "later", "--at", "2026-06-10T08:00:00Z", now=NOON + 2 * MINUTE)
    assert cause == "not_yet_seen"
    assert told.startswith(
        "It was first seen active at 2026-06-10 12:01 UTC. The task did not exist before 2026-06-10 12:01 UTC (commit "
    )


def test_a_schedule_that_is_over_has_no_slot_left(project: Project) -> None:
    project.task("once", frequency=1, unit="days", start="2026-06-10 12:00", end="2026-06-10 12:00")
    project.commit()
    project.tick(NOON)

    assert _why(project, "once", now=NOON + timedelta(days=1))[0] == "no_slot_left"


def test_an_unknown_task_is_an_error_with_the_nearest_name(hourly: Project) -> None:
    done = hourly.runner("why", "hourli")

    assert (done.returncode, done.stderr) == (2, "error: there is no task hourli\nhint: did you mean hourly?\n")


def test_nothing_is_written_for_an_answer(hourly: Project) -> None:
    before = (hourly.state / "runner.db").read_bytes()
    _why(hourly, "hourly", now=NOON + timedelta(hours=3))

    assert (hourly.state / "runner.db").read_bytes() == before
