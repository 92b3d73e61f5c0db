"""Every minute means every minute."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

from tests.support.many import run_many
from tests.support.project import MINUTE, NOON, Project


def test_a_task_of_every_minute_runs_sixty_times_in_an_hour_of_ticks(project: Project) -> None:
    project.task("often", "print(task.scheduled_for)")
    project.commit()
    dice = random.Random(60)

    # Cron is late by some milliseconds, and by some seconds on a busy machine.
    late = [timedelta(milliseconds=dice.choice([0, 3, 800, 5_000, 40_000])) for _ in range(60)]
    said = run_many(project, [(NOON + minute * MINUTE + late[minute], ("tick",)) for minute in range(60)])
    assert {tick.code for tick in said} == {0}, said

    slots = Counter(run.scheduled_for for run in project.runs())
    noon = NOON.replace(microsecond=0)
    assert slots == Counter({noon + minute * MINUTE: 1 for minute in range(60)})
    assert all(run.trigger == "schedule" and run.missed == 0 for run in project.runs())


def test_after_an_hour_without_ticks_one_run_stands_for_all_that_was_missed(project: Project) -> None:
    project.task("often")
    project.commit()
    project.tick(NOON)

    [run] = project.tick(NOON + 60 * MINUTE).started

    assert (run.trigger, run.missed) == ("catchup", 59)
    assert run.scheduled_for == (NOON + 60 * MINUTE).replace(microsecond=0)
    assert run.reason == "caught up: covers 59 older slots, too"
