"""A clock that was set back: what `tick` and `why` say of it, in words that a person can check."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support.project import MINUTE, NOON, Project

#: Beyond the span that is told: the clock goes on while a tick begins.
_MORE = timedelta(seconds=20)
_TASKS: dict[str, dict[str, Any]] = {
    "interval": {"frequency": 1, "unit": "days"},
    "cron": {"cron": "0 * * * *"},
    "rrule": {"rrule": "FREQ=MONTHLY;BYMONTHDAY=10;BYHOUR=12"},
}


def _ticked(project: Project, now: timedelta) -> str:
    done = project.runner("tick", now=NOON + now)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def ticked(project: Project) -> Project:
    """A project that has run tasks of every kind of schedule at noon."""
    for name, keys in _TASKS.items():
        project.task(name, **keys)
    project.commit()
    project.tick(NOON)
    return project


@pytest.mark.parametrize(
    ("back", "span"),
    [
        (timedelta(minutes=2), "2 min"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=2, minutes=30), "2 h 30 min"),
        (timedelta(days=3, hours=5, minutes=7), "3 d 5 h"),
        (timedelta(days=400), "400 d"),
        (NOON - NOON.replace(year=1971), "20089 d"),
    ],
)
def test_a_tick_says_by_how_much_the_clock_was_set_back_from_when_to_when_and_what_was_done(
    ticked: Project, back: timedelta, span: str
) -> None:
    first, *_ = _ticked(ticked, -back - _MORE).splitlines()

    then, now = f"{NOON:%Y-%m-%d %H:%M} UTC", f"{NOON - back - _MORE:%Y-%m-%d %H:%M} UTC"
    assert first == (
        f"the clock was set back by {span}, from {then} to {now}: "
        "schedules continue from the present, and slots that have run do not run again"
    )


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(seconds=59)])
def test_a_clock_that_was_set_back_by_less_than_a_minute_is_waited_for_without_a_word(
    ticked: Project, back: timedelta
) -> None:
    assert "clock" not in _ticked(ticked, -back)


def test_it_is_said_once_and_once_more_when_the_clock_has_passed_that_instant_again(ticked: Project) -> None:
    back = timedelta(hours=3)
    said = [_ticked(ticked, minutes * MINUTE - back) for minutes in (0, 60, 120, 179, 240)]

    assert ["clock" in text for text in said] == [True, False, False, False, True]
    assert said[-1].startswith(f"the clock, which was set back, has passed {NOON:%Y-%m-%d %H:%M} UTC again\n")


@pytest.mark.parametrize("name", sorted(_TASKS))
def test_why_tells_of_it_for_a_day_before_and_after_on_the_clock_of_every_task(ticked: Project, name: str) -> None:
    found = NOON - timedelta(days=2) - _MORE
    _ticked(ticked, found - NOON)

    told = {}
    for hours in (-25, -23, 0, 23, 25):
        at = f"{found + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        answer = ticked.json("why", name, "--at", at, now=found + MINUTE)
        told[hours] = "a tick found that the clock was set back by 2 d" in " ".join(answer["sentences"])
    assert told == {-25: False, -23: True, 0: True, 23: True, 25: False}
