"""What a task says of itself."""

from __future__ import annotations

import pytest

from runner.model.task import ScheduleSpec, id_of, path_of


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ScheduleSpec("UTC", frequency=1, unit="minutes"), "every minute"),
        (ScheduleSpec("UTC", frequency=15, unit="minutes"), "every 15 minutes"),
        (ScheduleSpec("UTC", frequency=1, unit="days", start="2026-01-01 07:00"), "every day from 2026-01-01 07:00"),
        (ScheduleSpec("UTC", cron="0 8 * * 1-5"), "cron 0 8 * * 1-5"),
        (ScheduleSpec("UTC", rrule="FREQ=DAILY"), "rrule FREQ=DAILY"),
    ],
)
def test_a_schedule_is_told_as_a_person_would(spec: ScheduleSpec, words: str) -> None:
    assert spec.in_words() == words


@pytest.mark.parametrize("task_id", ["hello", "billing/daily-report", "a/b/c.d"])
def test_an_id_and_its_file_lead_to_each_other(task_id: str) -> None:
    assert path_of(task_id) == f"tasks/{task_id}.yaml"
    assert id_of(path_of(task_id)) == task_id


def test_only_what_moves_the_grid_makes_another_grid() -> None:
    spec = ScheduleSpec("UTC", frequency=1, unit="days")

    assert spec.same_grid(ScheduleSpec("Europe/Berlin", frequency=1, unit="days", end="2027-01-01"))
    assert not spec.same_grid(ScheduleSpec("UTC", frequency=2, unit="days"))
    assert not spec.same_grid(ScheduleSpec("UTC", frequency=1, unit="days", start="2026-01-01"))
