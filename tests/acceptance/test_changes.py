"""What a commit changes, and what it leaves alone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project, task_text

_SLOT = NOON.replace(microsecond=0)


def _next_due(project: Project, now: datetime) -> dict[str, str]:
    return {entry["task"]: entry["next_due"] for entry in project.json("list", now=now)}


def test_uncommitted_edits_are_pointed_out_and_do_not_run(project: Project) -> None:
    project.task("hello", "print('committed')")
    project.commit()
    project.task("hello", "print('edited')")
    project.task("new")

    done = project.runner("tick", "--verbose", now=NOON)

    assert "uncommitted, not run: tasks/hello.yaml, tasks/new.yaml" in done.stdout
    assert [project.show(run.run_id).output for run in project.runs()] == [b"committed\n"]
    assert project.json("status", now=NOON)["uncommitted"] == ["tasks/hello.yaml", "tasks/new.yaml"]
    assert "uncommitted, not run by ticks: tasks/hello.yaml, tasks/new.yaml" in project.runner("validate").stdout


def test_of_many_uncommitted_files_the_first_are_named(project: Project) -> None:
    project.task("hello")
    project.commit()
    for number in range(7):
        project.task(f"new-{number}")

    named = ", ".join(f"tasks/new-{number}.yaml" for number in range(5))
    for words in (["validate"], ["status"], ["tick", "--verbose"]):
        assert f"{named} and 2 more\n" in project.runner(*words, now=NOON).stdout


def test_worktree_runs_the_edits_and_the_next_tick_goes_back_to_the_commit(project: Project) -> None:
    project.task("hello", "print('committed')")
    project.commit()
    project.task("hello", "print('edited')")

    assert project.runner("tick", "--worktree", now=NOON).returncode == 0
    assert project.runner("tick", now=NOON + MINUTE).returncode == 0

    edited, committed = project.runs()
    assert (edited.commit, project.show(edited.run_id).output) == ("worktree", b"edited\n")
    assert (committed.commit, project.show(committed.run_id).output) == (
        project.git("rev-parse", "HEAD"),
        b"committed\n",
    )


def test_a_file_that_becomes_invalid_keeps_its_last_valid_version_and_others_move_on(project: Project) -> None:
    project.task("good", "print('old')")
    project.task("bad", "print('valid')")
    valid = project.commit()
    project.tick()
    project.task("good", "print('new')")
    project.task("bad", "print('oops'")
    invalid = project.commit()

    report = project.tick(NOON + MINUTE)

    outputs = {run.task: (project.show(run.run_id).output, run.commit) for run in report.started}
    assert outputs == {"good": (b"new\n", invalid), "bad": (b"valid\n", valid)}
    assert [(problem.file, problem.line, problem.code) for problem in report.problems] == [
        ("tasks/bad.yaml", 5, "python")
    ]
    status = project.json("status", now=NOON + MINUTE)
    assert status["degraded"] == [{"task": "bad", "valid_commit": valid, "invalid_commit": invalid}]


def test_a_mended_file_is_no_longer_degraded_and_its_schedule_never_stopped(project: Project) -> None:
    project.task("bad", "print('one')")
    project.commit()
    project.tick()
    project.write("tasks/bad.yaml", "nonsense")
    project.commit()
    project.tick(NOON + MINUTE)
    project.task("bad", "print('two')")
    project.commit()

    [run] = project.tick(NOON + 2 * MINUTE).started

    assert (run.missed, project.show(run.run_id).output) == (0, b"two\n")
    assert project.json("status", now=NOON)["degraded"] == []
    assert project.json("status", now=NOON)["problems"] == []


def test_a_file_that_was_never_valid_does_not_run_and_is_listed_as_invalid(project: Project) -> None:
    project.write("tasks/never.yaml", "frequency: often\n")
    project.task("hello")
    project.commit()

    report = project.tick()

    assert [run.task for run in report.started] == ["hello"]
    assert {entry["task"]: entry["state"] for entry in project.json("list", now=NOON)} == {
        "hello": "active",
        "never": "invalid",
    }


@pytest.mark.parametrize("edit", [False, True], ids=["as it is", "with a small edit"])
def test_a_rename_carries_state_and_history_along(project: Project, *, edit: bool) -> None:
    code = "\n".join(f"print('line {number}')" for number in range(20))
    project.task("old/name", code, frequency=1, unit="hours")
    project.commit()
    project.tick()
    project.git("mv", "tasks/old/name.yaml", "tasks/renamed.yaml")
    if edit:
        project.task("renamed", code + "\nprint('one more')", frequency=1, unit="hours")
    project.commit()

    assert project.tick(NOON + 5 * MINUTE).started == ()
    [run] = project.tick(NOON + 60 * MINUTE).started

    assert [run.task for run in project.runs("renamed")] == ["renamed", "renamed"]
    assert run.scheduled_for == _SLOT + timedelta(hours=1)


def test_a_deleted_task_keeps_its_history_and_a_new_life_goes_on_from_there(project: Project) -> None:
    project.task("hello")
    project.task("other")
    project.commit()
    project.tick()
    (project.root / "tasks/hello.yaml").unlink()
    project.commit()

    assert [run.task for run in project.tick(NOON + MINUTE).started] == ["other"]
    assert len(project.runs("hello")) == 1
    project.task("hello", "print('back')")
    project.commit()

    back = [run for run in project.tick(NOON + 10 * MINUTE).started if run.task == "hello"]
    assert [(run.missed, run.scheduled_for) for run in back] == [(0, _SLOT + 10 * MINUTE)]
    assert len(project.runs("hello")) == 2


def test_an_edit_that_leaves_the_schedule_alone_changes_nothing_in_time(project: Project) -> None:
    project.task("daily", "print(1)", frequency=1, unit="days")
    project.commit()
    project.tick()
    before = _next_due(project, NOON)
    project.task("daily", "print(2)", frequency=1, unit="day", description="now with words")
    project.commit()

    assert project.tick(NOON + 7 * MINUTE).started == ()
    assert _next_due(project, NOON + 7 * MINUTE) == before


def test_a_changed_interval_counts_from_the_last_slot_that_was_run(project: Project) -> None:
    project.task("report", frequency=1, unit="hours")
    project.commit()
    project.tick()
    project.task("report", frequency=25, unit="minutes")
    project.commit()

    assert project.tick(NOON + 40 * MINUTE).started == ()
    assert _next_due(project, NOON + 40 * MINUTE) == {"report": "2026-06-10T12:50:00Z"}


def test_slots_that_fall_while_a_task_is_inactive_are_not_owed(project: Project) -> None:
    project.task("hello", frequency=10, unit="minutes")
    project.commit()
    project.tick()
    project.task("hello", frequency=10, unit="minutes", active=False)
    project.commit()
    assert project.tick(NOON + 35 * MINUTE).started == ()
    project.task("hello", frequency=10, unit="minutes")
    project.commit()

    assert project.tick(NOON + 36 * MINUTE).started == ()
    [run] = project.tick(NOON + 40 * MINUTE).started

    assert (run.missed, run.trigger) == (0, "schedule")


def test_ids_that_differ_only_by_case_are_both_refused_until_one_is_gone(project: Project) -> None:
    project.task("Report", "print('upper')")
    project.commit()
    project.tick()
    project.task("report", "print('lower')")
    project.commit()

    report = project.tick(NOON + MINUTE)

    assert [(run.task, project.show(run.run_id).output) for run in report.started] == [("Report", b"upper\n")]
    assert [(problem.file, problem.code) for problem in report.problems] == [
        ("tasks/Report.yaml", "id-case"),
        ("tasks/report.yaml", "id-case"),
    ]
    project.git("rm", "--quiet", "tasks/Report.yaml")
    project.commit()
    after = project.tick(NOON + 2 * MINUTE)
    assert [run.task for run in after.started] == ["report"]
    assert after.problems == ()


def test_changed_defaults_reach_tasks_whose_files_have_not_changed(project: Project) -> None:
    project.task("hello", "print(timezone.now().tzname())", cron="0 9 * * *")
    project.commit()
    project.tick()
    assert _next_due(project, NOON) == {"hello": "2026-06-11T09:00:00Z"}
    project.write("runner.yaml", "timezone: Europe/Berlin\n")
    project.commit()
    project.tick(NOON + MINUTE)

    assert _next_due(project, NOON + MINUTE) == {"hello": "2026-06-11T07:00:00Z"}


def test_a_broken_runner_yaml_leaves_the_last_valid_settings_in_force(project: Project) -> None:
    project.write("runner.yaml", "timezone: Europe/Berlin\n")
    project.task("hello", cron="0 9 * * *")
    project.commit()
    project.tick()
    project.write("runner.yaml", "timezone: Europe/Berln\n")
    project.task("new", cron="0 10 * * *")
    project.commit()

    report = project.tick(NOON + MINUTE)

    assert [(problem.file, problem.code) for problem in report.problems] == [("runner.yaml", "timezone")]
    assert _next_due(project, NOON) == {"hello": "2026-06-11T07:00:00Z", "new": "2026-06-11T08:00:00Z"}


def test_a_runner_yaml_that_is_broken_from_the_beginning_stops_the_tick(project: Project) -> None:
    project.write("runner.yaml", "max_parallel: many\n")
    project.task("hello")
    project.commit()

    done = project.runner("tick", now=NOON)

    assert done.returncode == 1
    assert done.stderr.startswith("error: runner.yaml:1:15: error: `max_parallel` must be a whole number, not 'many'")


def test_data_beside_the_tasks_is_not_read_and_a_yml_file_is_pointed_out(project: Project) -> None:
    project.write("tasks/data.csv", "a,b\n")
    project.write("tasks/.hidden.yaml", "nonsense")
    project.write("tasks/report.yml", task_text())
    project.task("hello")
    project.commit()

    report = project.tick()

    assert [run.task for run in report.started] == ["hello"]
    assert [(problem.file, problem.hint) for problem in report.problems] == [
        ("tasks/report.yml", "rename it to end in .yaml")
    ]


def test_slots_that_an_edit_has_overtaken_are_on_record_with_the_reason(project: Project) -> None:
    project.task("edited", frequency=10, unit="minutes")
    project.task("switched-off", frequency=10, unit="minutes")
    project.task("removed", frequency=10, unit="minutes")
    project.commit()
    project.tick()
    # No tick runs for half an hour; meanwhile:
    project.task("edited", frequency=1, unit="hours")
    project.task("switched-off", frequency=10, unit="minutes", active=False)
    (project.root / "tasks/removed.yaml").unlink()
    project.commit()

    assert project.tick(NOON + 35 * MINUTE).started == ()

    skipped = {run.task: run for run in project.runs() if run.status == "skipped"}
    assert {task: (run.scheduled_for, run.missed) for task, run in skipped.items()} == dict.fromkeys(
        ["edited", "switched-off", "removed"], (_SLOT + 30 * MINUTE, 2)
    )
    assert skipped["edited"].reason == "the task was edited before a tick ran"
    assert skipped["removed"].reason == "the task's file was removed before a tick ran"


def test_files_whose_names_cannot_be_ids_come_and_go_as_problems(project: Project) -> None:
    project.task("good")
    odd = [project.root / "tasks" / name for name in ("with space.yaml", "-dash.yaml")]
    odd.append(project.root / "tasks" / "broken\udcff.yaml")
    for path in odd:
        path.write_text(task_text())
    project.commit()

    assert [(problem.file, problem.code) for problem in project.tick().problems] == [
        ("tasks/-dash.yaml", "file-name"),
        ("tasks/broken\\xff.yaml", "file-name"),
        ("tasks/with space.yaml", "file-name"),
    ]
    odd[0].rename(project.root / "tasks/without-space.yaml")
    for path in odd[1:]:
        path.unlink()
    project.commit()
    after = project.tick(NOON + MINUTE)
    assert after.problems == ()
    assert [run.task for run in after.started] == ["good", "without-space"]
