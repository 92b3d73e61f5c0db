"""Rules of time zones that change after slots were stored: a slot is decided once, by the rules of that minute."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import MINUTE, Project

_HOUR = timedelta(hours=1)
_ZONE = "Africa/Cairo"
_SUMMER, _WINTER = 3 * 3600, 2 * 3600


def _zone(folder: Path, offset: int) -> Path:
    """Write a zone file with one offset for ever (tzfile(5)), in a folder as PYTHONTZPATH names them."""
    path = folder / _ZONE
    path.parent.mkdir(parents=True)
    block = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    body = struct.pack(">lbB", offset, 0, 0) + b"ABC\0"
    hours = offset // 3600
    path.write_bytes(block + body + block + body + f"\n<+{hours:02}>-{hours}\n".encode())
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> dict[str, str]:
    """Two versions of the zone's rules: with summer time for ever, and without any."""
    return {
        "summer": str(_zone(tmp_path / "summer", _SUMMER)),
        "winter": str(_zone(tmp_path / "winter", _WINTER)),
    }


def _tick(project: Project, now: datetime, rules: str) -> None:
    done = project.runner("tick", now=now, env={"PYTHONTZPATH": rules})
    assert done.returncode == 0, done.stderr


def _slots(project: Project) -> list[datetime]:
    return [run.scheduled_for for run in project.runs("task") if run.scheduled_for and run.status == "succeeded"]


_FIXED: dict[str, dict[str, Any]] = {
    "an interval with a start": {"frequency": 1, "unit": "days", "start": "2026-05-01 09:00"},
    "cron": {"cron": "0 9 * * *"},
    "a rule": {"rrule": "FREQ=DAILY;BYHOUR=9;BYMINUTE=0"},
    "a yearly rule": {"rrule": "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=10;BYHOUR=9;BYMINUTE=0", "start": "2026-01-01"},
}
#: Nine o'clock of 10 June on the wall, by either rules.
_NINE = {
    "summer": datetime(2026, 6, 10, 6, 0, 0, 20_000, tzinfo=UTC),
    "winter": datetime(2026, 6, 10, 7, 0, 0, 20_000, tzinfo=UTC),
}


#: Minutes before and after: each hour that either rules could mean, and a little beside it.
_AROUND = (-300, -61, -60, -1, 0, 1, 59, 60, 61, 300)
_AFTER = (1, 59, 60, 61, 119, 120, 300)


@pytest.mark.parametrize(("old", "new"), [("summer", "winter"), ("winter", "summer")])
@pytest.mark.parametrize("keys", _FIXED.values(), ids=_FIXED.keys())
def test_a_slot_that_was_planned_by_old_rules_comes_when_the_new_ones_say(
    project: Project, rules: dict[str, str], keys: dict[str, Any], old: str, new: str
) -> None:
    project.task("task", timezone=_ZONE, **keys)
    project.commit()
    _tick(project, _NINE["summer"] - 12 * _HOUR, rules[old])

    for minutes in _AROUND:
        _tick(project, _NINE[new] + minutes * MINUTE, rules[new])

    assert _slots(project) == [_NINE[new].replace(microsecond=0)]


@pytest.mark.parametrize(("old", "new"), [("summer", "winter"), ("winter", "summer")])
@pytest.mark.parametrize("keys", _FIXED.values(), ids=_FIXED.keys())
def test_a_wall_time_that_has_run_by_old_rules_is_not_run_again_by_the_new_ones(
    project: Project, rules: dict[str, str], keys: dict[str, Any], old: str, new: str
) -> None:
    project.task("task", timezone=_ZONE, **keys)
    project.commit()
    _tick(project, _NINE[old] - 12 * _HOUR, rules[old])
    _tick(project, _NINE[old], rules[old])

    for minutes in _AFTER:
        _tick(project, _NINE[old] + minutes * MINUTE, rules[new])

    assert _slots(project) == [_NINE[old].replace(microsecond=0)]


@pytest.mark.parametrize("keys", [{"frequency": 1, "unit": "hours"}, {"cron": "0 * * * *"}], ids=["interval", "cron"])
def test_what_counts_elapsed_time_does_not_notice_other_rules(
    project: Project, rules: dict[str, str], keys: dict[str, Any]
) -> None:
    project.task("task", timezone=_ZONE, **keys)
    project.commit()
    noon = datetime(2026, 6, 10, 12, 0, 0, 20_000, tzinfo=UTC)
    for hour in range(3):
        _tick(project, noon + hour * _HOUR, rules["summer"])

    for hour in range(3, 6):
        _tick(project, noon + hour * _HOUR, rules["winter"])

    assert [slot.hour for slot in _slots(project)] == [12, 13, 14, 15, 16, 17]


def test_an_idle_tick_notices_that_rules_have_changed_and_is_idle_again(
    project: Project, rules: dict[str, str]
) -> None:
    project.task("task", timezone=_ZONE, cron="0 9 * * *")
    project.commit()
    early = _NINE["summer"] - 5 * _HOUR
    _tick(project, early, rules["winter"])

    said = project.runner("tick", now=early + MINUTE, env={"PYTHONTZPATH": rules["summer"]}).stdout

    assert said.startswith("[main] nothing due; next: task at 2026-06-10 09:00 +03 (in 5 h)")
    written = (project.state / "runner.db").stat().st_mtime_ns
    _tick(project, early + 2 * MINUTE, rules["summer"])
    assert (project.state / "runner.db").stat().st_mtime_ns == written
