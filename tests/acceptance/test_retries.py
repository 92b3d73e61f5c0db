"""Retries: each attempt is on record, and no tick, crash or reboot forgets one that is to come."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.model.run import RunDetails
from tests.support.processes import Family, background, family_of, kill_tick
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

_DAILY = {"cron": "0 12 * * *", "frequency": None, "unit": None}
_AT_ONCE = {"attempts": 3, "delay": "0s"}
#: Longer than any minute: the tick does not wait for it.
_LATER = {"attempts": 3, "delay": "5m", "backoff": 3, "max_delay": "12m"}
_FAIL = "print(f'try {task.attempt}')\nraise SystemExit(task.attempt)"
_SECOND = timedelta(seconds=1)


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _commit(project: Project, code: str, **keys: object) -> None:
    project.task("once", code, **{**_DAILY, **keys})
    project.commit()


def _tick(project: Project, now: datetime = NOON) -> str:
    done = project.runner("tick", now=now)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _tick_until_over(project: Project) -> None:
    """Tick each minute until nothing waits for another attempt."""
    now = NOON
    while now == NOON or any(run.status == "running" for run in project.runs()):
        assert now < NOON + 5 * MINUTE
        _tick(project, now)
        now += MINUTE


def _only(project: Project) -> RunDetails:
    [run] = project.runs()
    return project.show(run.run_id)


def _due(project: Project) -> datetime:
    due = _only(project).run.due_at
    assert due is not None
    return due


def _statuses(details: RunDetails) -> list[str]:
    return [attempt.status for attempt in details.attempts]


def _kill(project: Project, family: Family, name: str, now: datetime = NOON) -> None:
    """Tick until the task has noted a name and its start is on record; then kill the tick."""
    with background(project, "tick", now=now) as tick:
        family.wait_for(name)
        wait_until(lambda: _is_recorded(project), "the record of the start")
        kill_tick(tick)


def _is_recorded(project: Project) -> bool:
    with project.database() as database:
        return bool(database.execute("SELECT 1 FROM attempts WHERE status = 'running'").fetchone())


def _reboot(project: Project) -> None:
    """Let the store look as after a boot of the machine."""
    with project.database() as database:
        other = "00000000-0000-4000-8000-000000000000"
        sql = (
            "UPDATE runs SET supervisor = ? || substr(supervisor, instr(supervisor, ':')) WHERE supervisor IS NOT NULL"
        )
        assert database.execute(sql, (other,)).rowcount > 0
        database.commit()


def test_a_run_that_fails_is_tried_again_and_each_attempt_is_on_record_with_its_own_output(project: Project) -> None:
    _commit(project, _FAIL, retry=_AT_ONCE)

    _tick_until_over(project)

    details = _only(project)
    assert (details.run.status, details.run.attempts, details.run.exit_code) == ("failed", 3, 3)
    assert details.run.reason == "attempt 3 of 3: exit code 3"
    assert [attempt.number for attempt in details.attempts] == [1, 2, 3]
    assert [attempt.output for attempt in details.attempts] == [b"try 1\n", b"try 2\n", b"try 3\n"]
    assert [attempt.exit_code for attempt in details.attempts] == [1, 2, 3]
    assert details.run.started_at == details.attempts[0].started_at
    assert details.run.finished_at == details.attempts[-1].finished_at


def test_history_shows_the_run_once_and_show_shows_each_attempt(project: Project) -> None:
    _commit(project, "print(f'try {task.attempt}')\nassert task.attempt == 2, 'not yet'", retry=_AT_ONCE)

    _tick_until_over(project)

    [line] = [line for line in project.runner("history").stdout.splitlines() if " once " in line]
    assert line.split()[:3] == ["1", "once", "succeeded"]
    assert "succeeded at attempt 2" in line
    [run] = project.json("history")
    assert (run["status"], run["attempts"], run["error"]) == ("succeeded", 2, None)
    shown = project.runner("show", "1").stdout
    for words in ("attempt 1: failed", "AssertionError: not yet", "try 1", "attempt 2: succeeded", "try 2"):
        assert words in shown
    each = project.json("show", "1")["each_attempt"]
    assert [(it["attempt"], it["status"], it["exit_code"]) for it in each] == [(1, "failed", 1), (2, "succeeded", 0)]
    assert each[0]["error"]["line"] is not None
    assert project.runner("logs", "1").stdout.endswith("try 2\n")


@pytest.mark.parametrize("delay", ["0s", "1s"])
def test_a_retry_due_before_the_next_minute_is_done_by_the_same_tick(project: Project, delay: str) -> None:
    _commit(project, "assert task.attempt == 2", retry={"attempts": 2, "delay": delay})

    _tick(project)

    details = _only(project)
    assert _statuses(details) == ["failed", "succeeded"]
    first, second = details.attempts
    assert first.finished_at is not None
    # Two processes tell these times, and keep milliseconds: the second may seem one too early.
    assert second.started_at >= first.finished_at + int(delay[0]) * _SECOND - timedelta(milliseconds=5)


def test_a_retry_due_while_the_tick_has_other_runs_is_done_by_it_too(project: Project, family: Family) -> None:
    project.task("other", family.code("note('other')\nwait_for('try-2')"), **_DAILY)
    _commit(
        project,
        family.code("wait_for('other')\nnote(f'try-{task.attempt}')\nassert task.attempt == 2"),
        retry={"attempts": 2, "delay": "1s"},
    )

    _tick(project)

    assert {run.task: (run.status, run.attempts) for run in project.runs()} == {
        "once": ("succeeded", 2),
        "other": ("succeeded", 1),
    }


def test_a_later_retry_is_done_by_the_tick_that_comes_due_and_ticks_before_it_stay_idle(project: Project) -> None:
    _commit(project, "assert task.attempt == 3", retry=_LATER)
    assert "retrying" in _tick(project)
    first = _only(project).attempts[0]
    assert first.finished_at is not None
    assert _due(project) == first.finished_at + 5 * MINUTE

    for minutes in (1, 2, 4):
        assert _tick(project, NOON + minutes * MINUTE).startswith("[main] nothing due; next: once at 2026-06-11 12:00")
    assert _only(project).run.attempts == 1

    _tick(project, _due(project) + timedelta(milliseconds=20))
    second = _only(project).attempts[1]
    assert second.finished_at is not None
    # Three times as long, but never longer than the longest wait.
    assert _due(project) == second.finished_at + 12 * MINUTE
    _tick(project, _due(project))

    assert _statuses(_only(project)) == ["failed", "failed", "succeeded"]
    assert _tick(project, NOON + 30 * MINUTE).startswith("[main] nothing due")


def test_a_tick_in_the_minute_of_a_retry_waits_for_it(project: Project) -> None:
    _commit(project, "assert task.attempt == 2", retry=_LATER)
    _tick(project)
    due = _due(project)
    before = max(due - timedelta(milliseconds=300), due.replace(second=0, microsecond=0))

    _tick(project, before)

    details = _only(project)
    assert _statuses(details) == ["failed", "succeeded"]
    assert details.attempts[1].started_at >= due


def test_while_a_run_waits_for_its_retry_it_is_shown_as_retrying_with_the_time_of_its_next_attempt(
    project: Project,
) -> None:
    _commit(project, "assert False", retry=_LATER)
    _tick(project)

    assert "retrying" in project.runner("history").stdout
    assert "retrying" in project.runner("status", now=NOON + MINUTE).stdout
    shown = project.runner("show", "1").stdout
    assert "next attempt" in shown
    assert "attempt 1 of 3: AssertionError" in shown
    assert project.json("show", "1")["next_attempt_at"].startswith("2026-06-10T12:05:0")


def test_a_timeout_counts_as_a_failed_attempt(project: Project, family: Family) -> None:
    code = family.code("note(f'try-{task.attempt}')\nif task.attempt == 1:\n    forever()")
    _commit(project, code, retry=_AT_ONCE, timeout="3s", kill_grace="0s")

    _tick_until_over(project)

    assert _statuses(_only(project)) == ["timed_out", "succeeded"]
    assert family.names() == ["try-1", "try-2"]


def test_an_attempt_whose_tick_was_killed_is_lost_and_counts(project: Project, family: Family) -> None:
    code = family.code(
        "print(task.attempt, flush=True)\nnote(f'try-{task.attempt}')\nif task.attempt < 3:\n    forever()"
    )
    _commit(project, code, retry=_AT_ONCE)

    _kill(project, family, "try-1")
    _kill(project, family, "try-2", NOON + MINUTE)
    _tick(project, NOON + 2 * MINUTE)

    details = _only(project)
    assert _statuses(details) == ["lost", "lost", "succeeded"]
    assert family.names() == ["try-1", "try-2", "try-3"]
    assert family.survivors() == []
    assert (details.run.status, details.run.reason) == ("succeeded", "succeeded at attempt 3")


def test_when_the_last_attempt_is_lost_the_run_is(project: Project, family: Family) -> None:
    _commit(project, family.code("note(f'try-{task.attempt}')\nforever()"), retry={"attempts": 2, "delay": "0s"})

    _kill(project, family, "try-1")
    _kill(project, family, "try-2", NOON + MINUTE)
    _tick(project, NOON + 2 * MINUTE)

    details = _only(project)
    assert (details.run.status, _statuses(details)) == ("lost", ["lost", "lost"])
    assert str(details.run.reason).startswith("attempt 2 of 2: the runner that supervised it")


def test_a_retry_that_a_killed_tick_was_waiting_for_is_done_by_the_tick_that_comes_due(project: Project) -> None:
    _commit(project, "assert task.attempt == 2", retry={"attempts": 2, "delay": "30s"})
    with background(project, "tick", now=NOON) as tick:
        wait_until((project.state / "runner.db").exists, "the store")
        wait_until(lambda: [run.due_at is not None and run.attempts for run in project.runs()] == [1], "the failure")
        kill_tick(tick)

    _tick(project, _due(project))

    assert _statuses(_only(project)) == ["failed", "succeeded"]


def test_a_retry_survives_a_reboot(project: Project, family: Family) -> None:
    _commit(project, family.code("note(f'try-{task.attempt}')\nif task.attempt == 1:\n    forever()"), retry=_LATER)
    _kill(project, family, "try-1")
    _reboot(project)

    _tick(project, NOON + MINUTE)
    waiting = _only(project)
    assert waiting.run.state_in_words() == "retrying"
    assert waiting.run.reason == "attempt 1 of 3: the machine was rebooted while it ran"
    _tick(project, _due(project))

    assert _statuses(_only(project)) == ["lost", "succeeded"]


def test_an_attempt_of_which_a_reboot_leaves_unknown_whether_it_had_begun_is_not_made_twice(
    project: Project, family: Family
) -> None:
    _commit(project, family.code("note(f'try-{task.attempt}')\nforever()"))
    _kill(project, family, "try-1")
    _reboot(project)
    with project.database() as database:
        # What was not synchronised before the machine went down: starts, and the notes of what had begun.
        database.execute("DELETE FROM attempts")
        database.execute("UPDATE runs SET attempts = 0, started_at = NULL")
        database.commit()
    for file in (project.state / "owners").iterdir():
        file.unlink()

    _tick(project, NOON + MINUTE)

    assert _only(project).run.status == "lost"
    assert family.names() == ["try-1"]


def test_what_a_tick_that_is_asked_to_end_has_ended_is_tried_again(project: Project, family: Family) -> None:
    project.write("runner.yaml", "shutdown_grace: 0s\n")
    _commit(project, family.code("note(f'try-{task.attempt}')\nif task.attempt == 1:\n    forever()"), retry=_AT_ONCE)
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("try-1")
        tick.send_signal(signal.SIGTERM)
        assert tick.wait() == 1

    assert _only(project).run.state_in_words() == "retrying"
    _tick(project, NOON + MINUTE)

    assert _statuses(_only(project)) == ["cancelled", "succeeded"]


def test_a_missing_secret_fails_the_run_before_it_starts_and_is_not_tried_again(
    project: Project, family: Family
) -> None:
    _commit(project, family.code("note('began')"), retry=_AT_ONCE, secrets=["NOWHERE_TO_BE_FOUND"])

    _tick(project)

    details = _only(project)
    assert (details.run.status, details.run.attempts, details.attempts) == ("failed", 0, ())
    assert "NOWHERE_TO_BE_FOUND" in str(details.run.reason)
    assert family.names() == []
    assert _tick(project, NOON + MINUTE).startswith("[main] nothing due")


def test_a_run_by_hand_is_tried_once(project: Project) -> None:
    _commit(project, _FAIL, retry=_AT_ONCE)
    # Not at noon: nothing is due.
    done = project.runner("run", "once", now=NOON + MINUTE)

    assert (done.returncode, done.stdout) == (1, "try 1\n")
    assert (_only(project).run.status, _only(project).run.attempts) == ("failed", 1)


def test_a_run_by_hand_that_is_lost_is_not_tried_again(project: Project, family: Family) -> None:
    _commit(project, family.code("note('began')\nforever()"), retry=_AT_ONCE)
    with background(project, "run", "once", now=NOON + MINUTE) as command:
        family.wait_for("began")
        kill_tick(command)
    _tick(project, NOON + 2 * MINUTE)

    assert (_only(project).run.status, family.names()) == ("lost", ["began"])


def test_under_forbid_slots_are_skipped_while_a_run_waits_for_its_retry(project: Project) -> None:
    _commit(project, "assert task.attempt == 2", cron="* * * * *", retry=_LATER)
    _tick(project)
    for minutes in (1, 2, 3):
        _tick(project, NOON + minutes * MINUTE)

    first, skipped = project.runs()
    assert (first.state_in_words(), first.attempts) == ("retrying", 1)
    assert (skipped.status, skipped.missed) == ("skipped", 2)
    assert skipped.reason == f"the task is still running (run {first.run_id})"
    assert first.due_at is not None
    _tick(project, first.due_at)
    assert [run.status for run in project.runs()] == ["succeeded", "skipped"]
    _tick(project, NOON + 6 * MINUTE)
    # Its own first attempt fails in its turn.
    assert [run.state_in_words() for run in project.runs()] == ["succeeded", "skipped", "retrying"]


def test_a_retry_runs_the_version_that_its_run_began_with(project: Project) -> None:
    _commit(project, "print('old')\nassert task.attempt == 2", retry=_LATER)
    _tick(project)
    _commit(project, "print('new')", retry=_LATER)
    _tick(project, NOON + MINUTE)
    _tick(project, _due(project))

    assert [attempt.output for attempt in _only(project).attempts][1] == b"old\n"


def test_a_retry_is_not_made_twice_by_two_ticks_that_come_due_together(project: Project, family: Family) -> None:
    _commit(project, family.code("note(f'try-{task.attempt}')\nassert task.attempt == 2"), retry=_LATER)
    _tick(project)
    due = _due(project)
    with background(project, "tick", now=due) as one, background(project, "tick", now=due) as two:
        assert (one.wait(), two.wait()) == (0, 0)

    assert _statuses(_only(project)) == ["failed", "succeeded"]
    assert family.names() == ["try-1", "try-2"]


def test_under_allow_a_retry_waits_for_no_other_run(project: Project) -> None:
    _commit(
        project,
        "assert task.attempt == 2 or task.run_id == 2",
        concurrency_policy="allow",
        cron="* * * * *",
        retry=_LATER,
    )
    _tick(project)
    _tick(project, NOON + MINUTE)

    assert [run.state_in_words() for run in project.runs()] == ["retrying", "succeeded"]


@pytest.mark.parametrize("where", ["task", "settings"])
def test_a_backoff_that_is_no_number_is_a_problem_and_hides_no_task(project: Project, where: str) -> None:
    project.task("good")
    retry = "retry: {backoff: .nan}\n"
    if where == "task":
        project.write("tasks/bad.yaml", f"frequency: 1\nunit: minutes\nactive: true\n{retry}code: |\n  print(1)\n")
    else:
        project.write("runner.yaml", f"defaults:\n  {retry}")
    project.commit()

    assert project.runner("validate").returncode == 1
