"""Clocks that are wrong for a while: set back, set forward, by an hour or by a year."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner import planning
from runner.operations.ticking import idle
from tests.support.processes import background, family_of
from tests.support.project import MINUTE, NOON, Project

_HOUR = timedelta(hours=1)
_YEAR = timedelta(days=365)


def _slots(project: Project, status: str = "succeeded") -> list[str]:
    return [f"{run.scheduled_for:%Y-%m-%d %H:%M}" for run in project.runs() if run.status == status]


def test_an_hour_that_comes_twice_because_the_clock_was_set_back_runs_once(project: Project) -> None:
    project.task("often", frequency=20, unit="minutes")
    project.commit()
    for minutes in (0, 20, 40, 60, 0, 20, 40, 60, 80):
        assert project.runner("tick", now=NOON + minutes * MINUTE).returncode == 0

    assert _slots(project) == [f"2026-06-10 {time}" for time in ("12:00", "12:20", "12:40", "13:00", "13:20")]


@pytest.mark.parametrize("keys", [{"frequency": 1, "unit": "minutes"}, {"cron": "* * * * *"}])
def test_after_a_clock_that_was_a_year_ahead_tasks_go_on_from_the_present(
    project: Project, keys: dict[str, Any]
) -> None:
    project.task("often", **keys)
    project.commit()
    for now in (NOON, NOON + _YEAR, NOON + MINUTE, NOON + 2 * MINUTE):
        assert project.runner("tick", now=now).returncode == 0

    assert _slots(project) == ["2026-06-10 12:00", "2027-06-10 12:00", "2026-06-10 12:01", "2026-06-10 12:02"]


def test_what_was_decided_before_the_clock_was_set_back_a_day_is_not_decided_again(project: Project) -> None:
    project.task("often", frequency=1, unit="hours", start="2026-01-01 00:00")
    project.commit()
    hours = [*range(6), *range(8)]
    for hour in hours:
        project.tick(NOON + hour * _HOUR)

    assert max(Counter(_slots(project)).values()) == 1
    assert _slots(project) == [f"2026-06-10 {12 + hour}:00" for hour in range(8)]


def test_a_retry_that_a_wrong_clock_has_put_off_for_a_year_is_made_when_it_is_right_again(project: Project) -> None:
    project.task("once", "assert task.attempt == 2", frequency=1, unit="days", retry={"attempts": 2, "delay": "5m"})
    project.commit()
    project.runner("tick", now=NOON + _YEAR)
    assert [run.state_in_words() for run in project.runs()] == ["retrying"]

    project.runner("tick", now=NOON)

    assert next((run.status, run.attempts) for run in project.runs()) == ("succeeded", 2)


def test_an_interval_that_was_first_seen_while_the_clock_was_ahead_keeps_its_grid(project: Project) -> None:
    project.task("daily", frequency=1, unit="days")
    project.commit()
    project.runner("tick", now=NOON + _YEAR)

    project.runner("tick", now=NOON)
    project.runner("tick", now=NOON + timedelta(days=1))

    # It has just run: nobody can say which of the two clocks was wrong, and the day's slot is not run once more.
    assert _slots(project) == ["2027-06-10 12:00", "2026-06-11 12:00"]


@pytest.mark.parametrize("edit", ["changed", "removed"])
def test_an_edit_after_the_clock_was_set_back_leaves_what_was_decided_as_it_is(project: Project, edit: str) -> None:
    project.task("often")
    project.task("other")
    project.commit()
    for now in (*(NOON + minutes * MINUTE for minutes in range(4)), NOON + timedelta(days=1), NOON + MINUTE):
        assert project.runner("tick", now=now).returncode == 0
    if edit == "changed":
        project.task("often", frequency=2, unit="minutes")
    else:
        (project.root / "tasks/often.yaml").unlink()
    project.commit()
    done = project.runner("tick", now=NOON + 3 * MINUTE)

    assert (done.returncode, done.stderr) == (0, "")
    slots = [run.scheduled_for for run in project.runs() if run.task == "often"]
    assert len(slots) == len(set(slots))


@pytest.mark.parametrize("back", [2, 4, 90], ids=lambda minutes: f"{minutes} min")
def test_slots_that_were_skipped_behind_a_run_stay_on_record_when_the_clock_is_set_back(
    project: Project, tmp_path: Path, back: int
) -> None:
    with family_of(tmp_path) as family:
        project.task("often", family.code("note('began')\nwait_for('end')"))
        project.commit()
        with background(project, "tick", now=NOON) as long:
            family.wait_for("began")
            for minutes in (3, 5, 6 - back):
                assert project.runner("tick", now=NOON + minutes * MINUTE).returncode == 0
            family.note("end")
            assert long.wait(100) == 0
        project.runner("tick", now=NOON + 8 * MINUTE)

    with project.database() as database:
        rows = database.execute("SELECT coalesce(through, scheduled_for), missed FROM runs").fetchall()
    noon = int(NOON.replace(microsecond=0).timestamp() * 1000)
    counted = {(through - noon) // 60_000 - before for through, missed in rows for before in range(missed + 1)}
    assert set(range(1, 9)) <= counted


def test_what_a_light_module_repeats_of_a_heavy_one_is_the_same() -> None:
    # The two may not import each other.
    assert planning.CLOCK_MAY_BE_AHEAD // timedelta(milliseconds=1) == idle._CLOCK_MAY_BE_AHEAD  # noqa: SLF001
