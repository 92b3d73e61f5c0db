"""A slot keeps the schedule of its minute, whatever is edited between that minute and its jittered start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runner.model.task import Policy
from tests.support.project import MINUTE, Project

_THREE = datetime(2026, 6, 10, 3, 0, 0, 20_000, tzinfo=UTC)
_JITTER = timedelta(minutes=30)
_OFFSET = Policy(jitter=_JITTER).offset("nightly")
_KEYS: dict[str, Any] = {"cron": "0 3 * * *", "jitter": "30m"}


@pytest.fixture
def planned(project: Project) -> Project:
    """A task of three o'clock that starts within half an hour; its slot has come, and its start has not."""
    assert 3 * MINUTE < _OFFSET < 27 * MINUTE, "the name of the task has to give it a start in between"
    project.task("nightly", **_KEYS)
    project.commit()
    for minutes in (-30, -1, 0):
        project.tick(_THREE + minutes * MINUTE)
    assert project.runs() == []
    return project


def _tick_until_half_past(project: Project) -> None:
    for minute in range(2, 32):
        if abs(minute * MINUTE - _OFFSET) < 3 * MINUTE or minute in {2, 31}:
            project.tick(_THREE + minute * MINUTE)


@pytest.mark.parametrize(
    "keys",
    [
        {"cron": "0 3,15 * * *", "jitter": "30m"},
        {"cron": "0 4 * * *", "jitter": "30m"},
        {"cron": "0 3 * * *", "jitter": "30m", "timezone": "Europe/Berlin"},
        {"frequency": 1, "unit": "days", "start": "2026-01-01 05:00", "jitter": "30m"},
        {"rrule": "FREQ=DAILY;BYHOUR=15;BYMINUTE=0", "jitter": "10m"},
    ],
    ids=["another time besides", "another time", "another zone", "an interval", "a rule"],
)
def test_an_edit_of_the_schedule_leaves_the_start_of_the_slot_as_it_is(planned: Project, keys: dict[str, Any]) -> None:
    planned.task("nightly", "print('edited')", **keys)
    planned.commit()
    planned.tick(_THREE + MINUTE)

    _tick_until_half_past(planned)

    [run] = [run for run in planned.runs() if run.scheduled_for == _THREE.replace(microsecond=0)]
    assert run.status == "succeeded"
    assert run.started_at is not None
    assert run.started_at >= _THREE.replace(microsecond=0) + _OFFSET
    assert planned.show(run.run_id).output == b"edited\n"  # the version that is in force when it starts


@pytest.mark.parametrize("change", ["switched off", "removed"])
def test_a_task_that_does_not_go_on_does_not_start_and_its_slot_is_on_record(planned: Project, change: str) -> None:
    if change == "removed":
        (planned.root / "tasks/nightly.yaml").unlink()
    else:
        planned.task("nightly", **_KEYS, active=False)
    planned.commit()
    planned.tick(_THREE + MINUTE)

    _tick_until_half_past(planned)

    [run] = planned.runs()
    assert (run.status, run.scheduled_for) == ("skipped", _THREE.replace(microsecond=0))
    assert "before a tick ran" in str(run.reason)


def test_an_edit_of_the_code_alone_changes_nothing_of_when_it_starts(planned: Project) -> None:
    planned.task("nightly", "print('edited')", **_KEYS)
    planned.commit()
    planned.tick(_THREE + MINUTE)

    _tick_until_half_past(planned)

    [run] = planned.runs()
    assert (run.status, run.reason) == ("succeeded", "due")
