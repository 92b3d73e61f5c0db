"""Clocks that jump, forward or back, by minutes or years: no slot runs twice, no schedule moves, no run waits."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.many import run_many
from tests.support.project import MINUTE, Project

_MAY = datetime(2026, 5, 2, 15, 0, 0, 20_000, tzinfo=UTC)
_DAY = timedelta(days=1)
_SCHEDULES: dict[str, dict[str, Any]] = {
    "daily": {"frequency": 1, "unit": "days"},
    "every third day": {"frequency": 3, "unit": "days", "timezone": "Europe/Berlin"},
    "weekly": {"frequency": 1, "unit": "weeks"},
    "monthly": {"frequency": 1, "unit": "months"},
    "hourly": {"frequency": 5, "unit": "hours"},
    "a rule for days": {"rrule": "FREQ=DAILY"},
    "a rule for every second week": {"rrule": "FREQ=WEEKLY;INTERVAL=2"},
    "a rule for months": {"rrule": "FREQ=MONTHLY"},
    "a rule for years": {"rrule": "FREQ=YEARLY", "timezone": "America/New_York"},
    "a rule for hours": {"rrule": "FREQ=HOURLY;INTERVAL=7"},
    "cron": {"cron": "0 15 * * *"},
    "with a start": {"frequency": 1, "unit": "days", "start": "2026-01-01 15:00"},
}
_FAR_BEHIND = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 4, 29, 9, 41, tzinfo=UTC),
    datetime(2026, 4, 29, 15, 0, tzinfo=UTC),
    datetime(2026, 5, 2, 12, 0, tzinfo=UTC),
    datetime(2026, 5, 2, 14, 50, tzinfo=UTC),
]


def _tick(project: Project, *moments: datetime) -> None:
    for said in run_many(project, [(moment, ("tick",)) for moment in moments]):
        assert said.code == 0, said.output


def _slots(project: Project) -> list[datetime]:
    return [run.scheduled_for for run in project.runs() if run.scheduled_for and run.status == "succeeded"]


def _next(project: Project, now: datetime) -> list[str]:
    return [slot["at"] for slot in project.json("next", "task", "-n", "3", now=now)]


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        *(pytest.param(_SCHEDULES["daily"], wrong, id=f"daily, {wrong:%Y-%m-%d %H:%M}") for wrong in _FAR_BEHIND),
        *(
            pytest.param(keys, _FAR_BEHIND[3 * (number % 2)], id=name)
            for number, (name, keys) in enumerate(_SCHEDULES.items())
        ),
    ],
)
def test_a_tick_with_a_clock_that_is_behind_neither_runs_a_slot_again_nor_moves_the_schedule(
    project: Project, keys: dict[str, Any], wrong: datetime
) -> None:
    project.task("task", **keys)
    project.commit()
    _tick(project, _MAY)
    before, planned = _slots(project), _next(project, _MAY + 30 * MINUTE)

    _tick(project, wrong, wrong + MINUTE, _MAY + 30 * MINUTE)

    assert max(Counter(_slots(project)).values(), default=1) == 1
    assert [slot for slot in _slots(project) if slot not in before] == []
    assert _next(project, _MAY + 30 * MINUTE) == planned


@pytest.mark.parametrize("behind", [3 * MINUTE, 2 * 60 * MINUTE, 9_000 * _DAY], ids=str)
def test_a_task_of_every_minute_goes_on_while_the_clock_is_behind_and_once_it_is_right_again(
    project: Project, behind: timedelta
) -> None:
    project.task("task")
    project.commit()
    _tick(project, _MAY, _MAY + MINUTE)

    wrong = _MAY - behind
    _tick(project, *(wrong + minute * MINUTE for minute in range(4)))
    meanwhile = _slots(project)[2:]
    _tick(project, *(_MAY + minute * MINUTE for minute in range(5, 9)))

    assert max(Counter(_slots(project)).values()) == 1
    if behind > 3 * MINUTE:
        assert len(meanwhile) >= 2  # within two minutes
    assert [slot.minute for slot in _slots(project)[-4:]] == [5, 6, 7, 8]


@pytest.mark.parametrize("ahead", [2, 3, 7, 61, 120, 525_600], ids=lambda minutes: f"{minutes}-minutes")
@pytest.mark.parametrize("keys", [{"frequency": 1, "unit": "minutes"}, {"cron": "* * * * *"}], ids=["interval", "cron"])
def test_after_a_clock_that_was_ahead_for_one_tick_work_goes_on_within_two_minutes(
    project: Project, keys: dict[str, Any], ahead: int
) -> None:
    project.task("task", **keys)
    project.commit()
    _tick(project, _MAY, _MAY + ahead * MINUTE)
    before = _slots(project)

    _tick(project, *(_MAY + minute * MINUTE for minute in range(1, 6)))

    after = [slot for slot in _slots(project) if slot not in before]
    right_again = (_MAY + MINUTE).replace(microsecond=0)
    assert after[0] <= right_again + 2 * MINUTE
    assert max(Counter(_slots(project)).values()) == 1
    # From there on every minute, but for the one that ran ahead of its time.
    wanted = [after[0] + number * MINUTE for number in range(10) if after[0] + number * MINUTE <= _MAY + 5 * MINUTE]
    assert [slot for slot in wanted if slot not in before] == after


def test_a_person_is_told_that_the_clock_jumped_by_how_much_and_what_was_done(project: Project) -> None:
    project.task("task")
    project.commit()
    _tick(project, _MAY)

    said = project.runner("tick", now=_MAY - 3 * _DAY).stdout
    assert "the clock was set back by 3 d, from 2026-05-02 15:00 UTC to 2026-04-29 15:00 UTC" in said
    assert "schedules continue from the present, and slots that have run do not run again" in said
    status = project.runner("status", now=_MAY - 3 * _DAY + MINUTE).stdout
    assert "set back by 3 d" in " ".join(status.split())
    why = project.json("why", "task", now=_MAY - 3 * _DAY + MINUTE)
    assert "set back by 3 d" in " ".join(why["sentences"])

    again = project.runner("tick", now=_MAY + MINUTE).stdout
    assert "the clock, which was set back, has passed 2026-05-02 15:00 UTC again" in again


def test_a_clock_that_is_right_says_nothing(project: Project) -> None:
    project.task("task")
    project.commit()

    said = [project.runner("tick", now=_MAY + minutes * MINUTE).stdout for minutes in (0, 1, 2, 60, 100_000)]

    assert [text for text in said if "clock" in text] == []
    assert not re.search("clock", project.runner("status", now=_MAY + 100_000 * MINUTE).stdout)
