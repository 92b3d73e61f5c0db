"""`runner why --at`: of a time in which a task could not run, what was so from when to when, and by which commits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project

_HOUR = timedelta(hours=1)


def _why(project: Project, at: datetime, now: datetime) -> tuple[str, str]:
    answer = project.json("why", "it", "--at", f"{at:%Y-%m-%dT%H:%M:%SZ}", now=now)
    return answer["cause"], " ".join(answer["sentences"])


def _local(hours: int) -> str:
    return f"{NOON + hours * _HOUR:%Y-%m-%d %H:%M} UTC"


def _write(project: Project, *, active: bool = True) -> None:
    project.task("it", cron="30 * * * *", active=active)


def _off(project: Project) -> None:
    _write(project, active=False)


def _on(project: Project) -> None:
    _write(project)


def _gone(project: Project) -> None:
    (project.root / "tasks/it.yaml").unlink()


@pytest.mark.parametrize(
    ("end", "begin", "cause", "what"),
    [(_off, _on, "inactive", "It was inactive"), (_gone, _on, "gone", "Its file was gone")],
    ids=["inactive", "gone"],
)
def test_a_stretch_is_told_with_its_bounds_and_their_commits_and_what_lies_outside_is_not(
    project: Project, end: Callable[[Project], None], begin: Callable[[Project], None], cause: str, what: str
) -> None:
    project.task("other", cron="0 0 1 1 *")
    for hours, change, message in ((0, _on, "Add it"), (2, end, "Stop it"), (5, begin, "Have it back")):
        change(project)
        project.commit(message)
        project.tick(NOON + hours * _HOUR)
    now = NOON + 6 * _HOUR

    for hours in (2, 3, 4):
        found, told = _why(project, NOON + hours * _HOUR + 30 * MINUTE, now)
        assert found == cause
        assert told.startswith(f"{what} from {_local(2)} (commit ")
        assert "Ada: Stop it) until " in told
        assert told.endswith("Ada: Have it back).")
        assert f" until {_local(5)} (commit " in told
    for hours in (1, 5):
        found, _ = _why(project, NOON + hours * _HOUR + 30 * MINUTE, now)
        assert found not in {"inactive", "gone"}


@pytest.mark.parametrize(
    ("end", "cause", "what"),
    [(_off, "inactive", "It has been inactive"), (_gone, "gone", "Its file has been gone")],
    ids=["inactive", "gone"],
)
def test_a_stretch_that_has_not_ended_says_since_when_it_lasts(
    project: Project, end: Callable[[Project], None], cause: str, what: str
) -> None:
    _on(project)
    project.commit("Add it")
    project.tick(NOON)
    end(project)
    project.commit("Stop it")
    project.tick(NOON + _HOUR)

    found, told = _why(project, NOON + 2 * _HOUR, NOON + 3 * _HOUR)
    assert found == cause
    assert told.startswith(f"{what} since {_local(1)} (commit ")
    assert told.endswith("Ada: Stop it).")


def test_before_a_task_was_there_the_commit_that_brought_it_is_named(project: Project) -> None:
    project.task("other")
    project.commit("Add another one")
    project.tick(NOON - 5 * _HOUR)
    _on(project)
    project.commit("Add it")
    project.tick(NOON)

    found, told = _why(project, NOON - 3 * _HOUR, NOON + _HOUR)
    assert found == "not_yet_seen"
    assert f"The task did not exist before {_local(0)} (commit " in told
    assert told.endswith("Ada: Add it).")


@pytest.mark.parametrize(
    ("zone", "naive", "instant"),
    [
        ("UTC", "2026-06-10 12:30", "2026-06-10T12:30:00Z"),
        ("Europe/Berlin", "2026-06-10 14:30", "2026-06-10T12:30:00Z"),
        ("America/St_Johns", "2026-06-10T10:00", "2026-06-10T12:30:00Z"),
        ("Asia/Kolkata", "2026-06-10 18:00", "2026-06-10T12:30:00Z"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
        ("Europe/Berlin", "2025-10-26 02:30", "2025-10-26T00:30:00Z"),
    ],
)
def test_a_time_without_a_zone_is_meant_on_the_wall_clock_of_the_task_and_one_with_a_zone_as_it_says(
    project: Project, zone: str, naive: str, instant: str
) -> None:
    project.task("it", cron="30 * * * *", timezone=zone)
    project.commit()
    project.tick(NOON)

    local = project.json("why", "it", "--at", naive, now=NOON + _HOUR)
    exact = project.json("why", "it", "--at", instant, now=NOON + _HOUR)
    assert local["at"] == exact["at"] == instant
    assert local["cause"] == exact["cause"]
