"""What a person does first: write a task, commit it, tick, look."""

from __future__ import annotations

from tests.support.project import MINUTE, NOON, Project


def test_a_committed_task_runs_at_once_and_is_on_record(project: Project) -> None:
    project.task("hello", "print('hello', task.id)")
    commit = project.commit()

    report = project.tick()

    [run] = report.started
    assert (run.task, run.status, run.trigger, run.commit) == ("hello", "succeeded", "schedule", commit)
    assert run.scheduled_for == NOON.replace(microsecond=0)
    assert project.show(run.run_id).output == b"hello hello\n"


def test_a_second_tick_in_the_same_minute_runs_nothing(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick()

    assert project.tick().started == ()
    assert len(project.runs()) == 1


def test_the_next_minute_runs_the_new_version_after_a_commit(project: Project) -> None:
    project.task("hello", "print('old')")
    project.commit()
    project.tick()
    project.task("hello", "print('new')")
    commit = project.commit()

    [run] = project.tick(NOON + MINUTE).started

    assert run.commit == commit
    assert project.show(run.run_id).output == b"new\n"
