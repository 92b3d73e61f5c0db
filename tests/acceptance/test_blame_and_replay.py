"""`runner blame` ties a failure to the commits before it; `runner replay` makes a run again as it was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project

_GOOD, _BAD = "print('fine')", "print('fine')\nraise ValueError('no')"


@pytest.fixture
def failing(project: Project) -> Project:
    """A project whose task succeeded, and has failed twice since three commits, two of which changed it."""
    project.task("report", _GOOD)
    project.task("other", _GOOD, active=False)
    project.commit("Add it")
    project.tick(NOON)
    project.task("report", _BAD)
    project.commit("Check the numbers (#7)")
    project.task("other", "print('more')", active=False)
    project.commit("Change the other one")
    project.write("runner.yaml", "max_parallel: 3\n")
    project.commit("Fewer at once")
    project.tick(NOON + MINUTE)
    project.tick(NOON + 2 * MINUTE)
    return project


def test_blame_names_the_first_failure_the_last_success_and_the_commits_between(failing: Project) -> None:
    answer = failing.json("blame", "report")

    assert (answer["fails"], answer["failures"]) == (True, 2)
    assert (answer["last_success"]["run_id"], answer["first_failure"]["run_id"]) == (1, 2)
    assert {(it["subject"], it["author"], it["pull_request"]) for it in answer["commits"]} == {
        ("Fewer at once", "Ada", None),
        ("Check the numbers (#7)", "Ada", 7),
    }
    text = failing.runner("blame", "report").stdout
    assert text.startswith("report has failed since 2026-06-10 12:01 UTC, 2 times\nfirst failure: run 2 ")
    assert "Ada: Check the numbers (#7)" in text
    assert "Change the other one" not in text


def test_blame_of_a_task_that_has_recovered_says_that_it_does_not_fail(failing: Project) -> None:
    failing.task("report", _GOOD)
    failing.commit("Mend it")
    failing.tick(NOON + 3 * MINUTE)

    assert failing.json("blame", "report")["fails"] is False
    assert failing.runner("blame", "report").stdout.startswith("report does not fail: run 4 ")


def test_blame_without_a_commit_between_says_to_look_elsewhere(project: Project) -> None:
    project.task("flaky", f"import os\nassert os.path.exists({str(project.state / 'fine')!r})")
    project.commit()
    project.tick(NOON)
    (project.state / "fine").touch()
    project.tick(NOON + MINUTE)
    (project.state / "fine").unlink()
    project.tick(NOON + 2 * MINUTE)

    assert project.json("blame", "flaky")["commits"] == []
    assert "look at the data of the task" in project.runner("blame", "flaky").stdout


def test_blame_of_a_task_that_never_succeeded_names_all_commits_of_its_file(project: Project) -> None:
    project.task("report", _BAD)
    project.commit("Add it")
    project.tick(NOON)
    answer = project.json("blame", "report")

    assert answer["last_success"] is None
    assert [it["subject"] for it in answer["commits"]] == ["Add it"]


def test_blame_follows_a_file_that_was_renamed(project: Project) -> None:
    project.task("report", _GOOD)
    project.commit("Add it")
    project.tick(NOON)
    project.task("report", _BAD)
    project.commit("Check the numbers")
    project.git("mv", "tasks/report.yaml", "tasks/numbers.yaml")
    project.commit("Call it numbers")
    project.tick(NOON + MINUTE)

    commits = project.json("blame", "numbers")["commits"]
    assert {it["subject"] for it in commits} == {"Check the numbers", "Call it numbers"}


def test_a_replay_runs_the_version_of_then_for_the_slot_of_then(failing: Project) -> None:
    done = failing.runner("replay", "1", now=NOON + timedelta(hours=1))
    again = failing.runs("report")[-1]

    assert (done.returncode, done.stdout) == (0, "fine\n")
    assert done.stderr.splitlines() == [
        "run 1: succeeded (due); replayed as run 4: succeeded (replay of run 1)",
        "the outputs are the same",
    ]
    first = failing.runs("report")[0]
    assert (again.trigger, again.scheduled_for, again.commit) == ("replay", first.scheduled_for, first.commit)


def test_a_replay_at_head_runs_the_version_of_now_and_shows_what_differs(failing: Project) -> None:
    done = failing.runner("replay", "1", "--at-commit", "head", now=NOON + timedelta(hours=1))

    assert done.returncode == 1
    assert "replayed as run 4: failed (ValueError: no)" in done.stderr
    assert "+ValueError: no" in done.stderr.splitlines()
    assert failing.runs("report")[-1].commit == failing.git("rev-parse", "HEAD")


def test_a_replay_does_not_touch_the_schedule(failing: Project) -> None:
    question = "SELECT anchor, watermark, last_run_slot, next_slot, next_due FROM tasks ORDER BY id"
    with failing.database() as database:
        before = database.execute(question).fetchall()
    failing.runner("replay", "1", now=NOON + 2 * MINUTE)
    failing.runner("replay", "1", now=NOON + 2 * MINUTE)
    with failing.database() as database:
        after = database.execute(question).fetchall()

    assert after == before
    failing.tick(NOON + 3 * MINUTE)
    assert [run.trigger for run in failing.runs("report")] == [*("schedule",) * 3, "replay", "replay", "schedule"]


def test_a_replay_is_no_word_on_how_the_task_is(failing: Project) -> None:
    failing.runner("replay", "1", now=NOON + timedelta(hours=1))

    assert failing.json("blame", "report")["fails"] is True
    assert [run["run_id"] for run in failing.json("status")["failing"]] == [3]


def test_the_code_sees_the_slot_of_then(project: Project) -> None:
    project.task("report", "print(task.scheduled_for.isoformat())")
    project.commit()
    project.tick(NOON)

    assert project.runner("replay", "1").stdout == "2026-06-10T12:00:00+00:00\n"


def test_a_run_that_is_not_there_cannot_be_replayed(failing: Project) -> None:
    done = failing.runner("replay", "99")

    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: there is no run 99")


def test_json_has_both_runs_and_the_difference(failing: Project) -> None:
    answer = failing.json("replay", "1")

    assert (answer["original"]["run_id"], answer["replay"]["run_id"]) == (1, 4)
    assert answer["replay"]["output"] == "fine\n"
    assert answer["difference"] == []
