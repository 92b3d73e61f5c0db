"""A run that waits in the queue until it is late: run, or on record as missed, as its task says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Family, background, family_of, kill_tick
from tests.support.project import MINUTE, NOON, Project

_DAILY: dict[str, Any] = {"cron": "0 12 * * *"}
_WAITED = "missed: its starting deadline of 10m had passed while it waited"
_NOT_IN_TIME = "missed: it could not be started in its minute (catchup: none)"
_OVERTAKEN = "missed: it waited until a later slot had come (catchup: latest)"


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _leave_waiting(project: Project, family: Family, **keys: object) -> None:
    """Have a tick at noon decide about a slot of `waits`, and be killed before it can start that."""
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("first", family.code("note('begun')\nforever()"), **_DAILY)
    project.task("waits", family.code("note('ran')"), **keys)
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("begun")
        kill_tick(tick)


@pytest.mark.parametrize(
    ("keys", "minutes", "status", "reason"),
    [
        ({"starting_deadline": "10m"}, 9, "succeeded", "due; it waited 9 min for its start"),
        ({"starting_deadline": "10m"}, 11, "skipped", _WAITED),
        ({"starting_deadline": "10m", "catchup": "all"}, 11, "skipped", _WAITED),
        ({"catchup": "none"}, 2, "skipped", _NOT_IN_TIME),
        ({"catchup": "latest"}, 11, "succeeded", "due; it waited 11 min for its start"),
        ({"catchup": "all"}, 11, "succeeded", "due; it waited 11 min for its start"),
    ],
    ids=["in time", "past its deadline", "past its deadline, all", "none", "latest", "all"],
)
def test_a_slot_that_waited_until_it_was_late_is_run_or_missed_as_its_task_says(
    project: Project, family: Family, keys: dict[str, Any], minutes: int, status: str, reason: str
) -> None:
    _leave_waiting(project, family, **_DAILY, **keys)

    done = project.runner("tick", now=NOON + minutes * MINUTE)

    assert (done.returncode, done.stderr) == (0, "")
    assert [(run.status, run.reason) for run in project.runs("waits")] == [(status, reason)]
    assert ("ran" in family.names()) == (status == "succeeded")


def test_of_two_slots_that_wait_beside_each_other_the_later_one_stands_for_both(
    project: Project, family: Family
) -> None:
    _leave_waiting(project, family, cron="*/10 * * * *", concurrency_policy="allow")

    done = project.runner("tick", now=NOON + 10 * MINUTE)

    assert (done.returncode, done.stderr) == (0, "")
    assert [(run.status, run.reason) for run in project.runs("waits")] == [
        ("skipped", _OVERTAKEN),
        ("succeeded", "due"),
    ]


def test_a_run_that_is_not_run_any_more_never_began_and_says_why(project: Project, family: Family) -> None:
    _leave_waiting(project, family, **_DAILY, starting_deadline="10m")
    project.tick(NOON + 11 * MINUTE)

    [run] = project.runs("waits")
    shown = project.json("show", str(run.run_id))
    assert (shown["started_at"], shown["finished_at"], shown["attempts"]) == (None, None, 0)
    why = project.json("why", "waits", "--at", "2026-06-10T12:00:00Z", now=NOON + 12 * MINUTE)
    assert (why["cause"], _WAITED in " ".join(why["sentences"])) == ("skipped", True)
