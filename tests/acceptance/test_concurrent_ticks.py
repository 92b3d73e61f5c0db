"""Whoever ticks, and however often: a slot is started once."""

from __future__ import annotations

import subprocess
from collections import Counter

from runner.model.run import Run
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.waiting import wait_until

_TASKS = 50
_TICKS = 10


def _tick_at_once(project: Project, count: int) -> list[tuple[int, str]]:
    ticks = [
        subprocess.Popen(
            [RUNNER, "tick"],
            cwd=project.root,
            env=project.environment(NOON),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(count)
    ]
    outputs = [tick.communicate(timeout=120)[0] for tick in ticks]
    return [(tick.returncode, output) for tick, output in zip(ticks, outputs, strict=True)]


def test_ten_ticks_at_the_same_moment_start_each_of_fifty_slots_once(project: Project) -> None:
    ran = project.root.parent / "ran"
    code = f"with open({str(ran)!r}, 'a') as file:\n    file.write(task.id + '\\n')"
    for number in range(_TASKS):
        project.task(f"task-{number}", code)
    project.commit()
    project.state.mkdir()

    ticks = _tick_at_once(project, _TICKS)

    assert [code for code, _ in ticks] == [0] * _TICKS, ticks
    assert Counter(ran.read_text().split()) == Counter({f"task-{number}": 1 for number in range(_TASKS)})
    runs = project.runs()
    assert len(runs) == _TASKS
    assert {run.status for run in runs} == {"succeeded"}


def test_no_more_runs_than_max_parallel_go_on_at_once_over_all_ticks(project: Project) -> None:
    running = project.root.parent / "running"
    running.mkdir()
    code = (
        "import os, pathlib, time\n"
        f"folder = pathlib.Path({str(running)!r})\n"
        "(folder / task.id).touch()\n"
        "print(len(list(folder.iterdir())))\n"
        "time.sleep(0.05)\n"
        "(folder / task.id).unlink()\n"
    )
    for number in range(12):
        project.task(f"task-{number}", code)
    project.write("runner.yaml", "max_parallel: 2\n")
    project.commit()
    project.state.mkdir()
    # Two ticks with runs of their own: half of the tasks each.
    halves = [
        [word for number in range(12) if number % 2 == half for word in ("--task", f"task-{number}")] for half in (0, 1)
    ]
    ticks = [
        subprocess.Popen(
            [RUNNER, "tick", *half], cwd=project.root, env=project.environment(NOON), stdout=subprocess.DEVNULL
        )
        for half in halves
    ]

    assert [tick.wait(120) for tick in ticks] == [0, 0]
    seen = [int(project.show(run.run_id).output) for run in project.runs()]
    assert len(seen) == 12
    assert max(seen) == 2


def test_a_task_that_is_still_running_is_skipped_and_the_stretch_is_one_row(project: Project) -> None:
    gate = project.root.parent / "gate"
    project.task("slow", f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)")
    project.commit()
    project.state.mkdir()
    with subprocess.Popen(
        [RUNNER, "tick"], cwd=project.root, env=project.environment(NOON), stdout=subprocess.DEVNULL
    ) as first:
        wait_until(lambda: any(run.started_at for run in _runs(project)), "the first run")
        reports = [project.tick(NOON + minutes * MINUTE) for minutes in (1, 2, 5)]
        gate.touch()
        assert first.wait(60) == 0

    first_run, skipped = project.runs()
    assert first_run.status == "succeeded"
    assert (skipped.status, skipped.missed) == ("skipped", 4)
    assert skipped.reason == f"the task is still running (run {first_run.run_id})"
    assert [len(report.skipped) for report in reports] == [1, 1, 1]
    [after] = project.tick(NOON + 6 * MINUTE).started
    assert (after.status, after.missed) == ("succeeded", 0)


def _runs(project: Project) -> list[Run]:
    return project.runs() if (project.state / "runner.db").exists() else []
