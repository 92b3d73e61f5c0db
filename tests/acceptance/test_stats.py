"""`runner stats` says how tasks have done: by slot, in a day, seven days and thirty days."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project


@pytest.fixture
def ticked(project: Project) -> Project:
    """Three ticks in two days: one task fails at every second slot, another one never, and a third never ran."""
    project.task("good", "print('good')", frequency=1, unit="hours")
    code = "import sys\ncount = task.state / 'count'\ncount.touch()\nsize = count.stat().st_size\ncount.open('a').write('x')\n"
    project.task("odd", f"{code}sys.exit(size % 2)", frequency=1, unit="hours", timezone="Asia/Tokyo")
    project.task("off", active=False)
    project.commit()
    for hours in (0, 1, 30):
        project.tick(NOON + timedelta(hours=hours))
    return project


def test_each_task_has_its_windows_as_json(ticked: Project) -> None:
    found = ticked.json("stats", now=NOON + timedelta(hours=30, minutes=1))

    assert [(it["task"], it["window"]) for it in found] == [
        (task, window) for task in ("good", "odd", "off") for window in ("24h", "7d", "30d")
    ]
    of_odd = [it for it in found if it["task"] == "odd"]
    assert [(it["runs"], it["succeeded"], it["failed"]) for it in of_odd] == [(1, 1, 0), (3, 2, 1), (3, 2, 1)]
    assert [it["success_rate"] for it in of_odd] == [1, pytest.approx(2 / 3), pytest.approx(2 / 3)]
    assert [it["last_failure"] is None for it in of_odd] == [True, False, False]
    assert all(0 < it["p50_seconds"] <= it["p95_seconds"] == it["max_seconds"] for it in of_odd)
    keys = ("runs", "succeeded", "failed", "skipped", "success_rate", "p50_seconds", "max_seconds", "last_failure")
    assert [[it[key] for key in keys] for it in found if it["task"] == "off"] == [
        [0, 0, 0, 0, None, None, None, None]
    ] * 3


def test_runs_by_hand_and_trials_do_not_count(ticked: Project) -> None:
    now = NOON + timedelta(hours=30, minutes=1)
    before = ticked.json("stats", "good", now=now)

    ticked.runner("run", "good", now=now)
    ticked.runner("run", "good", "--worktree", now=now)

    assert ticked.json("stats", "good", now=now) == before


def test_the_table_fits_80_columns_and_keeps_what_matters_at_60(ticked: Project) -> None:
    now = NOON + timedelta(hours=30, minutes=1)

    wide = ticked.runner("stats", now=now).stdout.splitlines()

    assert wide[0].split() == ["TASK", "RUNS", "OK", "SKIPPED", "P50", "P95", "MAX", "TREND", "LAST", "FAILURE"]
    assert [line.split()[:3] for line in wide[1:]] == [["good", "3", "100%"], ["odd", "3", "66.7%"], ["off", "0", "-"]]
    assert wide[2].endswith(" JST")
    assert max(map(len, wide)) <= 80


def test_one_task_has_a_row_for_each_window(ticked: Project) -> None:
    lines = ticked.runner("stats", "odd", now=NOON + timedelta(hours=30, minutes=1)).stdout.splitlines()

    assert [line.split()[:3] for line in lines] == [
        ["WINDOW", "RUNS", "OK"],
        ["24h", "1", "100%"],
        ["7d", "3", "66.7%"],
        ["30d", "3", "66.7%"],
    ]


def test_skipped_slots_are_counted_apart(project: Project) -> None:
    project.task("late", "print(1)", catchup="none")
    project.commit()
    project.tick()
    project.tick(NOON + 30 * MINUTE)

    [day, *_] = project.json("stats", "late", now=NOON + 31 * MINUTE)

    assert (day["succeeded"] == day["runs"], day["runs"] > 0, day["skipped"] > 0) == (True, True, True)


def test_an_unknown_task_is_wrong_usage(ticked: Project) -> None:
    done = ticked.runner("stats", "god", now=NOON)

    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean good?" in done.stderr
