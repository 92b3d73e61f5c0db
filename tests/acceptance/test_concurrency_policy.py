"""Two runs of one task: forbidden, allowed, or one in place of the other; and a run that a person ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runner.model.run import Run
from runner.store import queue
from runner.store.database import deciding
from tests.support import waiting
from tests.support.processes import Family, background, family_of, is_alive, kill_tick, state_of
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

_DAILY: dict[str, Any] = {"cron": "0 12 * * *", "frequency": None, "unit": None}
_REPLACE: dict[str, Any] = {"concurrency_policy": "replace"}
_LATER = {"attempts": 3, "delay": "5m"}
_TREE = """\
daemon("old-daemon")
if os.fork() == 0:
    note("old-child")
    forever()
wait_for("old-child")
note("old")
forever()
"""
_IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
#: Prints the processes of the older run that are alive when this one starts.
_NEW = """\
def lives(pid):
    try:
        with open(f"/proc/{{pid}}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
with open({notes!r}) as file:
    print([line.split()[1] for line in file if " old" in line and lives(line.split()[0])])
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _has_started(project: Project, run_id: int = 1) -> bool:
    return any(run.run_id == run_id and run.started_at for run in _runs(project))


def _runs(project: Project) -> list[Run]:
    return project.runs() if (project.state / "runner.db").exists() else []


def _ends(project: Project) -> list[str]:
    return [run.state_in_words() for run in project.runs()]


@contextmanager
def _ticking(
    project: Project, family: Family, code: str, *words: str, now: datetime = NOON, **keys: Any
) -> Iterator[subprocess.Popen[str]]:
    """Tick in the background until the task has noted `old`, and its start is on record."""
    project.task("once", family.code(code), **keys)
    project.commit()
    with background(project, *(words or ("tick",)), now=now) as tick:
        family.wait_for("old")
        wait_until(lambda: _has_started(project), "the record of the start")
        yield tick


def _put_new(project: Project, family: Family, **keys: Any) -> None:
    project.task("once", _NEW.format(notes=str(family.notes)), **keys)
    project.commit()


# forbid


def test_a_stretch_behind_each_run_is_one_row_that_names_it(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('old')\nwait_for(f'go-{task.run_id}')") as first:
        for minutes in (1, 2, 3):
            assert project.runner("tick", now=NOON + minutes * MINUTE).returncode == 0
        family.note("go-1")
        assert first.wait() == 0
    with background(project, "tick", now=NOON + 4 * MINUTE) as second:
        wait_until(lambda: _has_started(project, 3), "the next run")
        for minutes in (5, 6):
            project.runner("tick", now=NOON + minutes * MINUTE)
        family.note("go-3")
        assert second.wait() == 0

    rows = [(run.status, run.missed, run.reason) for run in project.runs()]
    assert rows == [
        ("succeeded", 0, "due"),
        ("skipped", 2, "the task is still running (run 1)"),
        ("succeeded", 0, "due"),
        ("skipped", 1, "the task is still running (run 3)"),
    ]


def test_under_forbid_a_run_by_hand_is_refused_while_another_goes_on(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('old')\nwait_for('go')"):
        done = project.runner("run", "once", now=NOON)
        family.note("go")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: the task once is running already (run 1)",
        "hint: wait for it, or end it: `runner cancel 1`",
    ]


# allow


def test_allow_runs_both(project: Project, family: Family) -> None:
    code = "note('old')\nnote(f'run-{task.run_id}')\nwait_for('go')"
    with (
        _ticking(project, family, code, concurrency_policy="allow") as one,
        background(project, "tick", now=NOON + MINUTE) as two,
    ):
        family.wait_for("run-1", "run-2")
        assert len(set(family.survivors())) == 3  # each under its name, and both under one
        family.note("go")
        assert (one.wait(), two.wait()) == (0, 0)

    assert _ends(project) == ["succeeded", "succeeded"]


# replace


@pytest.mark.parametrize("stubborn", ["", _IGNORE_TERM], ids=["polite", "ignores-term"])
def test_replace_ends_the_whole_tree_of_the_old_run_before_the_new_one_starts(
    project: Project, family: Family, stubborn: str
) -> None:
    keys = {**_REPLACE, "kill_grace": "1s"}
    with _ticking(project, family, stubborn + _TREE, **keys) as old:
        _put_new(project, family, **keys)
        done = project.runner("tick", now=NOON + MINUTE)
        assert (done.returncode, old.wait()) == (0, 0)

    first, second = project.runs()
    assert (first.status, first.reason) == ("cancelled", "replaced by run 2")
    assert (second.status, project.show(2).output) == ("succeeded", b"[]\n")
    assert first.finished_at is not None
    assert set(family.names()) == {"old-daemon", "old-child", "old"}
    assert family.survivors() == []


def test_a_run_that_is_replaced_is_not_tried_again(project: Project, family: Family) -> None:
    keys = {**_REPLACE, "retry": {"attempts": 5, "delay": "0s"}}
    with _ticking(project, family, "note('old')\nforever()", **keys) as old:
        _put_new(project, family, **keys)
        project.runner("tick", now=NOON + MINUTE)
        old.wait()

    assert [(run.status, run.attempts) for run in project.runs()] == [("cancelled", 1), ("succeeded", 1)]


def test_an_old_run_that_only_waits_for_a_place_is_cancelled_without_an_attempt(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a-first", family.code("note('first')\nwait_for('go')"), **_DAILY)
    project.task("once", family.code("note(f'run-{task.run_id}')"), **_REPLACE)
    project.commit()
    with background(project, "tick", now=NOON) as one:
        family.wait_for("first")
        with background(project, "tick", now=NOON + MINUTE) as two:
            wait_until(lambda: len(project.runs("once")) == 2, "the second decision")
            family.note("go")
            assert (one.wait(), two.wait()) == (0, 0)

    old, new = project.runs("once")
    assert (old.status, old.attempts, old.reason) == ("cancelled", 0, f"replaced by run {new.run_id}")
    assert (new.status, new.attempts) == ("succeeded", 1)
    assert family.names() == ["first", "go", f"run-{new.run_id}"]


def test_an_old_run_that_waits_for_its_retry_is_cancelled(project: Project) -> None:
    project.task("once", "assert task.run_id == 2", retry=_LATER, **_REPLACE)
    project.commit()
    for minutes in (0, 1, 6):
        project.runner("tick", now=NOON + minutes * MINUTE)

    assert [(run.status, run.attempts, run.reason) for run in project.runs()][:2] == [
        ("cancelled", 1, "replaced by run 2"),
        ("succeeded", 1, "due"),
    ]


@pytest.mark.parametrize("retry", [None, {"attempts": 2, "delay": "0s"}], ids=["once", "retry"])
def test_an_old_run_whose_tick_was_killed_is_ended_by_the_tick_that_replaces_it(
    project: Project, family: Family, retry: object
) -> None:
    keys = {**_REPLACE, "retry": retry}
    with _ticking(project, family, _IGNORE_TERM + _TREE, **keys) as old:
        kill_tick(old)
    _put_new(project, family, **keys)
    project.runner("tick", now=NOON + MINUTE)

    first, second = project.runs()
    assert (first.status, first.attempts) == ("lost" if retry is None else "cancelled", 1)
    assert (second.status, project.show(2).output) == ("succeeded", b"[]\n")
    assert family.survivors() == []


def test_three_ticks_in_a_row_leave_only_the_last_of_a_replacing_task(project: Project, family: Family) -> None:
    project.task("once", family.code("note(f'run-{task.run_id}')\nwait_for('go')\nnote('end')"), **_REPLACE)
    project.commit()
    with background(project, "tick", now=NOON) as one:
        family.wait_for("run-1")
        with background(project, "tick", now=NOON + MINUTE) as two:
            family.wait_for("run-2")
            with background(project, "tick", now=NOON + 2 * MINUTE) as three:
                family.wait_for("run-3")
                family.note("go")
                assert (one.wait(), two.wait(), three.wait()) == (0, 0, 0)

    assert _ends(project) == ["cancelled", "cancelled", "succeeded"]
    assert family.names() == ["run-1", "run-2", "run-3", "go", "end"]


def test_a_slot_replaces_a_run_by_hand_and_a_run_by_hand_a_slots(project: Project, family: Family) -> None:
    code = "note('old')\nnote(f'run-{task.run_id}')\nwait_for('go')"
    with (
        _ticking(project, family, code, "run", "once", now=NOON, **_REPLACE, **_DAILY) as by_hand,
        background(project, "tick", now=NOON) as tick,
    ):
        assert by_hand.wait() == 1
        family.wait_for("run-2")
        with background(project, "run", "once", now=NOON) as again:
            assert tick.wait() == 0
            family.wait_for("run-3")
            family.note("go")
            assert again.wait() == 0

    assert [(run.status, run.trigger) for run in project.runs()] == [
        ("cancelled", "manual"),
        ("cancelled", "schedule"),
        ("succeeded", "manual"),
    ]


def test_a_slot_that_was_decided_before_the_clock_was_set_back_replaces_nobody(
    project: Project, family: Family
) -> None:
    project.task("once", family.code("note(f'run-{task.run_id}')\nif task.run_id == 3:\n    forever()"), **_REPLACE)
    project.commit()
    for minutes in (0, 180):
        project.runner("tick", now=NOON + minutes * MINUTE)
    with background(project, "tick", now=NOON + 10 * MINUTE):
        family.wait_for("run-3")
        done = project.runner("tick", now=NOON + 180 * MINUTE)

    assert (done.returncode, done.stderr) == (0, "")


def _is_asked(project: Project) -> bool:
    with project.database() as database:
        return bool(database.execute("SELECT 1 FROM runs WHERE cancel_reason IS NOT NULL").fetchone())


def _first_attempt_is_over(project: Project) -> bool:
    return any(attempt.finished_at for attempt in project.show(1).attempts)


@pytest.mark.parametrize("words", [("tick",), ("cancel", "1")], ids=["replace", "cancel"])
def test_a_run_that_fails_by_itself_just_when_it_is_asked_to_end_is_not_tried_again(
    project: Project, family: Family, words: tuple[str, ...]
) -> None:
    with _ticking(project, family, "note('old')\nwait_for('fail')\nsys.exit(1)", retry=_LATER, **_REPLACE) as old:
        # The tick is kept from looking: what a busy machine does by chance.
        old.send_signal(signal.SIGSTOP)
        family.note("fail")
        wait_until(lambda: state_of(family.pid("old")) == "Z", "the end of the task")
        with background(project, *words, now=NOON + MINUTE):
            wait_until(lambda: _is_asked(project), "the request")
            old.send_signal(signal.SIGCONT)
            wait_until(lambda: _first_attempt_is_over(project), "the record of the end")
            ended = project.runs()[0]

    assert ended.status in {"failed", "cancelled"}


def test_a_request_of_a_tick_that_was_killed_before_it_could_tell_is_told_by_the_next(
    project: Project, family: Family
) -> None:
    with _ticking(project, family, "note('old')\nforever()", **_DAILY, **_REPLACE):
        with deciding(project.workspace.database) as session, session.transaction():
            queue.ask_to_end(session, 1, "replaced by run 2", NOON)
        project.runner("tick", now=NOON + MINUTE)

        waiting.wait_until(lambda: project.runs()[0].status == "cancelled", "the end of the old run", 3)


def test_a_run_that_was_asked_to_end_before_it_began_and_is_given_back_never_begins(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a-first", family.code("note('first')\nwait_for('go')"), **_DAILY)
    project.task("once", family.code("note('began')\nforever()"), **_DAILY)
    project.commit()
    with background(project, "tick", now=NOON):
        family.wait_for("first")
        [run] = project.runs("once")
        with deciding(project.workspace.database) as session, session.transaction():
            # What a tick does that took it, was asked to end it, and is ended itself (Supervisor._let_go).
            session.change("UPDATE runs SET supervisor = 'x:1:1' WHERE id = ?", (run.run_id,))
            queue.ask_to_end(session, run.run_id, "cancelled by hand", NOON)
            queue.release(session, "x:1:1", [(run.run_id, 1)], NOON)
        family.note("go")
        wait_until(lambda: project.runs("once")[0].status == "cancelled", "the end")

    assert "began" not in family.names()


def test_a_run_that_begins_while_another_tick_settles_older_losses_is_lost_and_not_run_twice(
    project: Project, family: Family
) -> None:
    for name in ("a", "b"):
        project.task(name, family.code("note(task.id)\nforever()"), **_DAILY)
    project.commit()
    with background(project, "tick", "--task", "a", now=NOON) as one:
        family.wait_for("a")
        with background(project, "tick", "--task", "b", now=NOON) as two:
            family.wait_for("b")
            wait_until(lambda: all(run.started_at for run in project.runs()), "the record of the starts")
            kill_tick(one)
            live = project.state / "live" / f"{project.runs('a')[0].run_id}-1"
            live.parent.mkdir(exist_ok=True)
            live.unlink(missing_ok=True)
            os.mkfifo(live)
            # The third one finds the loss of a, and is held up where it reads what a has printed.
            with background(project, "tick", "--task", "a", now=NOON + MINUTE) as three:
                writer = _open_when_read(live)
                kill_tick(two)
                _forget_start(project, "b")
                os.close(writer)
                assert three.wait() == 0
    with background(project, "tick", now=NOON + 2 * MINUTE):
        wait_until(lambda: project.runs("b")[0].status == "lost" or family.names().count("b") > 1, "what becomes of b")

    assert family.names() == ["a", "b"]


def _open_when_read(fifo: Path) -> int:
    """Return a descriptor to write to a pipe, once somebody waits at its other end."""
    found: list[int] = []

    def is_read() -> bool:
        try:
            found.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # nobody yet
            return False
        return True

    wait_until(is_read, "the reading")
    return found[0]


def _forget_start(project: Project, task: str) -> None:
    [run] = project.runs(task)
    with project.database() as database:
        database.execute("DELETE FROM attempts WHERE run = ?", (run.run_id,))
        database.execute("UPDATE runs SET attempts = 0, started_at = NULL WHERE id = ?", (run.run_id,))
        database.commit()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_by_hand_that_is_given_up_while_it_waits_for_the_old_one_is_not_run_by_a_tick_later(
    project: Project, family: Family, number: signal.Signals
) -> None:
    code = _IGNORE_TERM + "note('old')\nnote(f'run-{task.run_id}')\nforever()"
    with _ticking(project, family, code, **_REPLACE, **_DAILY, kill_grace="1m") as old:
        with background(project, "run", "once", now=NOON + MINUTE) as by_hand:
            wait_until(lambda: _is_asked(project), "the request")
            by_hand.send_signal(number)
            by_hand.wait()
        kill_tick(old)
    with background(project, "tick", now=NOON + 2 * MINUTE):
        wait_until(lambda: "run-2" in family.names() or not _is_under_way(project), "what becomes of both")

    assert "run-2" not in family.names()


def _is_under_way(project: Project) -> bool:
    return any(run.status == "running" for run in project.runs())


# runner cancel


@pytest.mark.parametrize("stubborn", ["", _IGNORE_TERM], ids=["polite", "ignores-term"])
def test_cancel_ends_a_run_with_its_whole_tree_and_returns_once_it_is_gone(
    project: Project, family: Family, stubborn: str
) -> None:
    with _ticking(project, family, stubborn + _TREE, kill_grace="1s", retry=_LATER) as tick:
        done = project.runner("cancel", "1")
        left = family.survivors()
        assert tick.wait() == 0

    assert (done.returncode, done.stdout, done.stderr) == (0, "run 1 cancelled\n", "")
    assert left == []
    [run] = project.runs()
    assert (run.status, run.reason, run.attempts) == ("cancelled", "cancelled by hand", 1)


def test_cancel_leaves_the_other_runs_of_a_busy_tick_alone(project: Project, family: Family) -> None:
    project.task("other", family.code("note('other')\nwait_for('go')\nprint('to the end')"), **_DAILY)
    with _ticking(project, family, _TREE, **_DAILY) as tick:
        family.wait_for("other")
        [run] = project.runs("once")
        assert project.json("cancel", str(run.run_id))["status"] == "cancelled"
        assert is_alive(family.pid("other"))
        family.note("go")
        assert tick.wait() == 0

    [other] = project.runs("other")
    assert (other.status, project.show(other.run_id).output) == ("succeeded", b"to the end\n")


def test_cancel_keeps_what_the_run_has_printed(project: Project, family: Family) -> None:
    with _ticking(project, family, "print('so far', flush=True)\nnote('old')\nforever()"):
        project.runner("cancel", "1")

    assert project.show(1).output == b"so far\n"
    assert [attempt.status for attempt in project.show(1).attempts] == ["cancelled"]


def test_cancel_of_a_run_that_waits_for_a_place_means_that_it_never_starts(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a-first", family.code("note('first')\nwait_for('go')"), **_DAILY)
    project.task("once", family.code("note('began')"), **_DAILY)
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("first")
        [run] = project.runs("once")
        done = project.runner("cancel", str(run.run_id))
        family.note("go")
        assert tick.wait() == 0

    [run] = project.runs("once")
    assert (done.returncode, run.status, run.attempts) == (0, "cancelled", 0)
    assert "began" not in family.names()


def test_cancel_of_a_run_that_waits_for_its_retry_ends_it(project: Project) -> None:
    project.task("once", "assert False", retry=_LATER, **_DAILY)
    project.commit()
    project.runner("tick", now=NOON)

    done = project.runner("cancel", "1", now=NOON + MINUTE)

    assert (done.returncode, done.stdout) == (0, "run 1 cancelled\n")
    project.runner("tick", now=NOON + 6 * MINUTE)
    [run] = project.runs()
    assert (run.status, run.reason, run.attempts) == ("cancelled", "cancelled by hand", 1)


def test_cancel_of_a_run_whose_tick_is_gone_ends_what_is_left_of_it(project: Project, family: Family) -> None:
    with _ticking(project, family, _IGNORE_TERM + _TREE, retry=_LATER) as tick:
        kill_tick(tick)
    done = project.runner("cancel", "1", now=NOON)

    assert (done.returncode, done.stdout) == (0, "run 1 cancelled\n")
    assert family.survivors() == []
    [run] = project.runs()
    assert (run.status, run.reason) == ("cancelled", "cancelled by hand")


def test_cancel_of_a_run_by_hand_ends_its_command(project: Project, family: Family) -> None:
    with _ticking(project, family, _TREE, "run", "once", now=NOON + MINUTE, **_DAILY) as by_hand:
        done = project.runner("cancel", "1")
        _, said = by_hand.communicate()

    assert (done.returncode, by_hand.returncode) == (0, 1)
    assert said.startswith("run 1 cancelled after ")
    assert family.survivors() == []


def test_cancel_of_a_run_that_has_ended_or_never_was_says_so(project: Project) -> None:
    project.task("once", **_DAILY)
    project.commit()
    project.runner("tick", now=NOON)

    ended = project.runner("cancel", "1")
    unknown = project.runner("cancel", "99")
    wrong = project.runner("cancel", "once")

    assert (ended.returncode, unknown.returncode, wrong.returncode) == (1, 2, 2)
    assert ended.stderr.startswith("error: run 1 has ended already (succeeded)\nhint: ")
    assert unknown.stderr.startswith("error: there is no run 99\nhint: ")
    assert project.runs()[0].status == "succeeded"


def test_two_people_who_cancel_the_same_run_both_see_it_end(project: Project, family: Family) -> None:
    with (
        _ticking(project, family, _IGNORE_TERM + _TREE, kill_grace="1s"),
        background(project, "cancel", "1") as one,
        background(project, "cancel", "1") as two,
    ):
        assert (one.wait(), two.wait()) == (0, 0)

    assert _ends(project) == ["cancelled"]
