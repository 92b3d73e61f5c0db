"""A tick that is killed at any moment: no slot twice, none without a record."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from datetime import datetime

import pytest

from runner.execution.owners import owner
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.waiting import wait_until

_ROUNDS = 60  # `make chaos` goes through a thousand
_MOMENTS = 40  # a command of 0.3 s is interrupted every 6 ms
_TASKS = ("a", "b/c", "d")


def _kill_a_tick(project: Project, now: datetime, after: float) -> None:
    with subprocess.Popen(
        [RUNNER, "tick"],
        cwd=project.root,
        env=project.environment(now),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as tick:
        time.sleep(after)  # the moment is what the test is about, not something to wait for
        tick.send_signal(signal.SIGKILL)


def _seconds(project: Project, now: datetime, *words: str) -> float:
    """Return how long a command takes. Use the smallest of several: the machine may be busy during one of them."""
    begin = time.monotonic()
    project.installed(*words, now=now)
    return time.monotonic() - begin


@pytest.mark.parametrize("words", [("tick",), ("list",)], ids=" ".join)
def test_an_interrupt_at_any_moment_of_loading_is_not_answered_with_a_traceback_of_ours(
    project: Project, words: tuple[str, ...]
) -> None:
    project.task("daily", cron="0 0 1 1 *")
    project.commit()
    project.tick(NOON)
    whole = min(_seconds(project, NOON, *words) for _ in range(3))
    said = []

    for number in range(_MOMENTS):
        with subprocess.Popen(
            [RUNNER, *words],
            cwd=project.root,
            env=project.environment(NOON),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as command:
            # The moment is what the test is about, not something to wait for.
            time.sleep(whole * (0.2 + 0.8 * number / _MOMENTS))
            command.send_signal(signal.SIGINT)
            said.append(command.communicate(timeout=60)[1])

    # Before the first module of ours is there, it is Python that answers.
    assert [text for text in said if "/runner/cli/" in text] == []


def test_sixty_ticks_killed_at_random_run_no_slot_twice_and_leave_none_without_a_record(project: Project) -> None:
    ran = project.root.parent / "ran"
    code = (
        f"with open({str(ran)!r}, 'a') as file:\n    file.write(f'{{task.id}} {{task.scheduled_for.isoformat()}}\\n')\n"
        "import time\ntime.sleep(0.05)"
    )
    for task in _TASKS:
        project.task(task, code)
    project.commit()
    project.tick(NOON)
    dice = random.Random(20261123)
    whole = min(_seconds(project, NOON + number * MINUTE, "tick") for number in range(1, 4))

    for number in range(4, _ROUNDS + 1):
        _kill_a_tick(project, NOON + number * MINUTE, dice.uniform(0.0, whole))
    # The process of the last one that records may live for a moment longer, and its run with it.
    owners = project.state / "owners"
    wait_until(lambda: len(owner.gone(str(project.state))) == len(os.listdir(owners)), "the end of all of them")
    project.tick(NOON + (_ROUNDS + 1) * MINUTE)

    with project.database() as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert max(Counter(ran.read_text().splitlines()).values()) == 1
    runs = project.runs()
    assert {run.status for run in runs} <= {"succeeded", "lost", "skipped"}
    assert max(Counter((run.task, run.scheduled_for) for run in runs).values()) == 1
    for task in _TASKS:
        # Every minute from the first tick to the last is on record: run, lost, skipped, or counted by a later one.
        decided = sum(1 + run.missed for run in runs if run.task == task)
        assert decided == _ROUNDS + 2
    # What ran is what is on record as run.
    succeeded = {f"{run.task} {run.scheduled_for:%Y-%m-%dT%H:%M:%S+00:00}" for run in runs if run.status == "succeeded"}
    assert succeeded <= set(ran.read_text().splitlines())
    # The kills came at every stage: before the claim, between, and after the end.
    assert {"succeeded", "lost"} <= {run.status for run in runs}
