"""Slots that came late: caught up in order, missed on record, spread by jitter, or waiting for a place."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from runner.model.run import Run
from runner.model.task import Policy
from tests.support.processes import Family, background, family_of, kill_tick, signal_tick
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

_DAILY: dict[str, Any] = {"cron": "0 12 * * *", "frequency": None, "unit": None}
_SECOND = timedelta(seconds=1)
_SHARP = NOON.replace(microsecond=0)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _commit(project: Project, code: str = "print('done')", **keys: object) -> None:
    project.task("once", code, **keys)
    project.commit()


def _minutes(run: Run) -> int:
    assert run.scheduled_for is not None
    return (run.scheduled_for - _SHARP) // MINUTE


def _rows(project: Project, task: str = "once") -> list[tuple[int, str, int]]:
    """Return the runs of a task: minutes after noon, how it stands, slots that it stands for beside its own."""
    return [(_minutes(run), run.state_in_words(), run.missed) for run in project.runs(task)]


def _tick(project: Project, minutes: int) -> str:
    done = project.runner("tick", now=NOON + minutes * MINUTE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


_NOTE = "note(f'{task.scheduled_for:%H:%M}')\n"


# catchup


def test_catchup_all_under_forbid_runs_missed_slots_one_after_another_the_oldest_first(
    project: Project, family: Family
) -> None:
    _commit(project, family.code(f"{_NOTE}time.sleep(0.02)\nnote(f'end-{{task.scheduled_for:%H:%M}}')"), catchup="all")
    _tick(project, 0)
    _tick(project, 6)

    assert family.names() == [name for minute in range(7) for name in (f"12:0{minute}", f"end-12:0{minute}")]
    assert _rows(project) == [(minute, "succeeded", 0) for minute in range(7)]
    assert [run.trigger for run in project.runs()] == ["schedule", *["catchup"] * 5, "schedule"]
    for before, after in pairwise(project.runs()[1:]):
        assert before.finished_at is not None
        assert after.started_at is not None
        assert before.finished_at <= after.started_at


def test_catchup_all_goes_on_where_a_killed_tick_left_off(project: Project, family: Family) -> None:
    _commit(project, family.code(f"{_NOTE}if task.scheduled_for.minute == 3:\n    forever()"), catchup="all")
    _tick(project, 0)
    with background(project, "tick", now=NOON + 6 * MINUTE) as tick:
        family.wait_for("12:03")
        kill_tick(tick)
    _tick(project, 7)

    assert family.names() == [f"12:0{minute}" for minute in range(7)]
    ends = ["succeeded"] * 3 + ["lost"] + ["succeeded"] * 3 + ["skipped"]
    assert _rows(project) == [(minute, end, 0) for minute, end in enumerate(ends)]


def test_catchup_all_keeps_its_order_while_one_of_the_runs_is_tried_again(project: Project, family: Family) -> None:
    code = family.code(f"{_NOTE}assert task.scheduled_for.minute != 1 or task.attempt == 2")
    _commit(project, code, catchup="all", retry={"attempts": 2, "delay": "1s"})
    _tick(project, 0)
    _tick(project, 3)

    assert family.names() == ["12:00", "12:01", "12:01", "12:02", "12:03"]


def test_of_many_missed_slots_the_last_hundred_run_and_the_others_are_one_row(project: Project, family: Family) -> None:
    _commit(project, family.code(_NOTE), catchup="all")
    _tick(project, 0)
    _tick(project, 125)

    rows = _rows(project)
    assert rows[:2] == [(0, "succeeded", 0), (25, "skipped", 24)]
    assert rows[2:] == [(minute, "succeeded", 0) for minute in range(26, 126)]
    assert project.runs()[1].reason == "missed: more than 100 slots were missed (catchup: all)"
    assert len(family.names()) == 101


def test_catchup_all_runs_the_slots_missed_after_a_crash_though_the_lost_run_is_tried_again(
    project: Project, family: Family
) -> None:
    code = family.code(f"{_NOTE}if task.run_id == 1 and task.attempt == 1:\n    forever()")
    _commit(project, code, catchup="all", retry={"attempts": 2, "delay": "0s"})
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("12:00")
        kill_tick(tick)
    # Nothing runs for five minutes: the machine is off.
    _tick(project, 5)

    assert family.names() == ["12:00", "12:00", *(f"12:0{minute}" for minute in range(1, 6))]


def test_catchup_none_runs_nothing_for_missed_slots_and_they_are_on_record(project: Project, family: Family) -> None:
    _commit(project, family.code(_NOTE), catchup="none")
    _tick(project, 0)
    _tick(project, 7)

    assert family.names() == ["12:00", "12:07"]
    assert _rows(project) == [(0, "succeeded", 0), (6, "skipped", 5), (7, "succeeded", 0)]
    assert project.runs()[1].reason == "missed: no tick ran in its minute (catchup: none)"


def test_catchup_latest_is_one_run_that_says_for_how_many_it_stands(project: Project) -> None:
    _commit(project)
    _tick(project, 0)
    _tick(project, 7)

    assert _rows(project) == [(0, "succeeded", 0), (7, "succeeded", 6)]
    assert project.json("history")[0]["missed"] == 6


# starting_deadline


def test_a_slot_beyond_its_starting_deadline_is_missed_on_record(project: Project, family: Family) -> None:
    hourly = {"cron": "0 * * * *", "frequency": None, "unit": None}
    _commit(project, family.code(_NOTE), starting_deadline="10m", **hourly)
    _tick(project, 0)
    _tick(project, 60 + 11)
    _tick(project, 120 + 9)

    assert family.names() == ["12:00", "14:00"]
    assert [(run.status, run.reason) for run in project.runs()] == [
        ("succeeded", "due"),
        ("skipped", "missed: its starting deadline of 10m had passed"),
        ("succeeded", "caught up: no tick ran in its minute"),
    ]


# Places


def test_a_task_that_waits_for_a_place_is_shown_as_waiting_and_is_not_missed(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a-first", family.code("note('first')\nwait_for('go')"), **_DAILY)
    _commit(project, family.code(_NOTE), catchup="none", starting_deadline="1m", **_DAILY)
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("first")
        for minutes in (1, 30):
            with background(project, "tick", now=NOON + minutes * MINUTE) as later:
                wait_until(lambda: "waiting" in project.runner("history").stdout, "the word")
                later.terminate()
                later.wait()
        shown = project.runner("status", now=NOON + MINUTE).stdout
        [line] = [line for line in shown.splitlines() if " once " in line]
        assert line.split()[2] == "waiting"
        family.note("go")
        assert tick.wait() == 0

    assert family.names() == ["first", "go", "12:00"]
    assert _rows(project) == [(0, "succeeded", 0)]


def test_the_longest_waiting_comes_first_over_two_ticks_at_once(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("first", family.code("note('first')\nwait_for('go')"), **_DAILY)
    for number in range(6):
        project.task(f"z-{5 - number}", family.code("note(task.id)"), cron=f"{number} 12 * * *")
    project.commit()
    with background(project, "tick", "--task", "first", now=NOON) as holder:
        family.wait_for("first")
        ticks = [background(project, "tick", now=NOON + minutes * MINUTE) for minutes in (0, 5)]
        with ticks[0] as one, ticks[1] as two:
            wait_until(lambda: len(project.runs()) == 7, "all decisions")
            family.note("go")
            assert (holder.wait(), one.wait(), two.wait()) == (0, 0, 0)

    # All of them are caught up by one run each, in the order of their slots.
    assert family.names() == ["first", "go", *(f"z-{5 - number}" for number in range(6))]


def _is_in_nobodys_hands(project: Project, task: str) -> bool:
    with project.database() as database:
        sql = "SELECT r.supervisor FROM runs r JOIN tasks t ON t.key = r.task WHERE t.id = ?"
        return bool(database.execute(sql, (task,)).fetchone() == (None,))


def test_the_longest_waiting_comes_first_also_after_quick_runs(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 2\n")
    project.task("holder", family.code("note('holder')\nwait_for('holder-go')"), **_DAILY)
    for number in range(3):
        project.task(f"a-quick-{number}", "pass", **_DAILY)
    for number in range(3):
        project.task(f"b-slow-{number}", family.code("note(task.id)\nwait_for('slow-go')"), **_DAILY)
    project.task("c-later", family.code("note(task.id)"), cron="1 12 * * *")
    project.commit()
    with background(project, "tick", "--task", "holder", now=NOON) as one:
        family.wait_for("holder")
        quick = [f"a-quick-{number}" for number in range(3)]
        slow = [f"b-slow-{number}" for number in range(3)]
        words = [word for name in (*quick, *slow) for word in ("--task", name)]
        with background(project, "tick", *words, now=NOON) as two:
            family.wait_for("b-slow-0")
            # Its slot comes while the slow ones wait; the third tick has a place for whatever has waited longest.
            with background(project, "tick", now=NOON + MINUTE) as three:
                wait_until(lambda: project.runs("c-later"), "the decision")
                wait_until(lambda: _is_in_nobodys_hands(project, "b-slow-1"), "the return of what cannot be started")
                signal_tick(two, signal.SIGSTOP)  # busy elsewhere: it does not look for places now
                family.note("holder-go")
                wait_until(lambda: {"c-later", "b-slow-1"} & set(family.names()), "the next start")
                signal_tick(two, signal.SIGCONT)
                family.note("slow-go")
                assert [tick.wait() for tick in (one, two, three)] == [0, 0, 0]

    names = family.names()
    assert names.index("b-slow-1") < names.index("c-later")


# Killed ticks


def test_what_a_killed_tick_had_taken_but_not_begun_is_run_once_and_what_it_had_begun_is_lost(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    for number in range(4):
        project.task(f"a-quick-{number}", family.code("note(task.id)"), **_DAILY)
    project.task("b-slow", family.code("note(task.id)\nforever()"), **_DAILY)
    for number in range(6):
        project.task(f"c-{number}", family.code("note(task.id)"), **_DAILY)
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("b-slow")
        wait_until(lambda: project.runs("b-slow")[0].started_at, "the record of the start")
        kill_tick(tick)
    _tick(project, 1)

    assert family.names() == [*(f"a-quick-{n}" for n in range(4)), "b-slow", *(f"c-{n}" for n in range(6))]
    assert {run.task: run.status for run in project.runs() if run.status != "succeeded"} == {"b-slow": "lost"}
    assert {run.attempts for run in project.runs()} == {1}


def test_what_a_tick_that_is_asked_to_end_had_taken_but_not_begun_is_run_by_the_next(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\nshutdown_grace: 0s\n")
    for number in range(4):
        project.task(f"a-quick-{number}", family.code("note(task.id)"), **_DAILY)
    project.task("b-slow", family.code("note(task.id)\nforever()"), **_DAILY)
    for number in range(4):
        project.task(f"c-{number}", family.code("note(task.id)"), **_DAILY)
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("b-slow")
        tick.terminate()
        tick.wait()
    assert not [run for run in project.runs() if run.task.startswith("c-") and run.state_in_words() != "waiting"]
    _tick(project, 1)

    assert family.names() == [*(f"a-quick-{n}" for n in range(4)), "b-slow", *(f"c-{n}" for n in range(4))]
    assert {run.task: run.status for run in project.runs() if run.status != "succeeded"} == {"b-slow": "cancelled"}


# jitter


def _with_offset(seconds: int, jitter: timedelta) -> str:
    """Return a task id whose jitter is so many seconds."""
    policy = Policy(jitter=jitter)
    return next(name for name in (f"t{n}" for n in range(100_000)) if policy.offset(name) == seconds * _SECOND)


def test_a_task_with_jitter_is_idle_until_its_minute_and_then_starts_at_its_second(project: Project) -> None:
    name = _with_offset(151, 5 * MINUTE)
    project.task(name, jitter="5m", **_DAILY)
    project.commit()
    for minutes in (0, 1):
        assert f"next: {name} at 2026-06-10 12:02 UTC" in _tick(project, minutes)
    assert project.runs() == []
    # In the minute in which its jitter ends, half a second before.
    begin = _SHARP + 150.5 * _SECOND
    assert project.runner("tick", now=begin).returncode == 0

    [run] = project.runs()
    assert (run.status, run.trigger, run.scheduled_for, run.reason) == ("succeeded", "schedule", _SHARP, "due")
    assert run.started_at is not None
    assert _SHARP + 151 * _SECOND <= run.started_at < _SHARP + 180 * _SECOND
    assert f"next: {name} at 2026-06-11 12:02 UTC" in _tick(project, 3)


def test_two_ticks_that_wait_for_the_same_jitter_start_it_once(project: Project, family: Family) -> None:
    name = _with_offset(57, MINUTE)
    project.task(name, family.code("note('run')"), jitter="1m", **_DAILY)
    project.commit()
    begin = _SHARP + 56 * _SECOND
    with background(project, "tick", now=begin) as one, background(project, "tick", now=begin) as two:
        assert (one.wait(), two.wait()) == (0, 0)

    assert family.names() == ["run"]
    assert len(project.runs()) == 1


def test_a_slot_that_waits_for_its_jitter_when_its_tick_is_killed_is_run_by_the_next(
    project: Project, family: Family
) -> None:
    name = _with_offset(58, MINUTE)
    project.task(name, family.code("note('run')"), jitter="1m", **_DAILY)
    project.commit()
    with background(project, "tick", now=_SHARP) as tick:
        wait_until(lambda: (project.state / "runner.db").exists() and project.runs(), "the decision")
        assert project.runs()[0].state_in_words() == "waiting"
        kill_tick(tick)
    _tick(project, 1)

    assert family.names() == ["run"]
    assert [run.status for run in project.runs()] == ["succeeded"]


@pytest.mark.parametrize("edit", ["rename", "jitter"])
def test_an_edit_that_changes_the_jitter_neither_loses_nor_doubles_a_slot(
    project: Project, family: Family, edit: str
) -> None:
    early, late = _with_offset(60, 10 * MINUTE), _with_offset(300, 10 * MINUTE)
    code = family.code(_NOTE)
    project.task(late if edit == "jitter" else early, code, jitter="10m", **_DAILY)
    project.commit()
    _tick(project, 0)
    if edit == "rename":
        project.git("mv", f"tasks/{early}.yaml", f"tasks/{late}.yaml")
        due: datetime = _SHARP + 5 * MINUTE
    else:
        project.task(late, code, **_DAILY)
        due = _SHARP
    project.commit()
    if due > _SHARP:
        for minutes in (1, 4):
            assert "12:05 UTC" in _tick(project, minutes)
        assert family.names() == []
    _tick(project, 5)
    _tick(project, 10)

    assert family.names() == ["12:00"]
    assert [(_minutes(run), run.status) for run in project.runs()] == [(0, "succeeded")]
