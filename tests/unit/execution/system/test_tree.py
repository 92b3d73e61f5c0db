"""When a run ends, its whole tree of processes has ended: asked first, then killed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.processes import Family, background, family_of, is_alive, processes_of, state_of
from tests.support.project import Project
from tests.support.waiting import wait_until

_IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
#: Time enough for a tree to stand on a busy machine.
_SHORT = {"timeout": "2s", "kill_grace": "1s"}
_AT_ONCE = {"timeout": "2s", "kill_grace": "0s"}


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def test_a_task_that_runs_too_long_is_asked_to_end(project: Project, family: Family) -> None:
    code = family.code("""\
def end(*_):
    print("asked")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
note("task")
forever()""")
    details = project.run_once(code, **_SHORT)

    assert (details.run.status, details.run.reason) == ("timed_out", "timed out after 2s")
    assert (details.output, details.run.exit_code) == (b"asked\n", 0)
    assert family.survivors() == []


def test_a_task_that_ignores_term_is_killed_after_its_grace(project: Project, family: Family) -> None:
    details = project.run_once(family.code(_IGNORE_TERM + "note('task')\nforever()"), **_SHORT)

    assert (details.run.status, details.run.reason) == ("timed_out", "timed out after 2s")
    assert details.run.signal == signal.SIGKILL
    assert details.run.duration_seconds is not None
    assert details.run.duration_seconds >= 3
    assert family.survivors() == []


def test_a_task_that_ends_when_asked_does_not_use_up_its_grace(project: Project) -> None:
    details = project.run_once("import time\ntime.sleep(60)", timeout="1s", kill_grace="1h")

    assert (details.run.status, details.run.signal) == ("timed_out", signal.SIGTERM)


def test_a_whole_tree_that_ignores_term_is_killed(project: Project, family: Family) -> None:
    code = family.code(
        _IGNORE_TERM
        + """\
import subprocess
for name in ("child", "other"):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setpgid(0, 0)
            note(name + "-grandchild")
            forever()
        note(name)
        forever()
program = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"], start_new_session=True)
note("program", program.pid)
daemon("daemon")
daemon("silent-daemon", keep=False)
note("task")
forever()"""
    )
    details = project.run_once(code, **_SHORT)

    assert details.run.status == "timed_out"
    expected = {"task", "child", "child-grandchild", "other", "other-grandchild", "program", "daemon", "silent-daemon"}
    assert set(family.names()) == expected
    assert family.survivors() == []


_LEFTOVERS = """\
daemon("daemon")
daemon("silent-daemon", keep=False)
if os.fork() == 0:
    note("child")
    forever()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note("stubborn-child")
    forever()
if os.fork() == 0:
    note("stopped-child")
    os.kill(os.getpid(), signal.SIGSTOP)
for name in ("child", "stubborn-child", "stopped-child"):
    wait_for(name)
print("said")
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", "succeeded"), ("os._exit(0)", "succeeded"), ("1 / 0", "failed"), ("os.kill(os.getpid(), 9)", "failed")],
)
def test_what_a_task_leaves_behind_is_killed_at_its_end(
    project: Project, family: Family, ending: str, status: str
) -> None:
    details = project.run_once(family.code(_LEFTOVERS + ending), timeout="1h")

    assert details.run.status == status
    assert details.output.startswith(b"said\n")
    assert len(family.names()) == 5
    assert family.survivors() == []


def test_a_daemon_that_holds_the_output_does_not_hold_the_run(project: Project, family: Family) -> None:
    code = family.code(_IGNORE_TERM + "daemon('daemon')\nprint('end')")

    details = project.run_once(code, timeout="1h", kill_grace="1h")

    assert (details.run.status, details.output) == ("succeeded", b"end\n")
    assert family.survivors() == []


def test_a_daemon_that_goes_on_printing_does_not_hold_the_run(project: Project, family: Family) -> None:
    code = family.code("""\
if os.fork() == 0:
    os.setsid()
    note("flood")
    while True:
        os.write(1, b"x" * 10_000)
wait_for("flood")""")
    details = project.run_once(code, timeout="1h")

    assert details.run.status == "succeeded"
    assert family.survivors() == []


_TIDY = """\
if os.fork() == 0:
    def end(*_):
        note("asked")
        {wait}
        note("tidied-up")
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    note("child")
    forever()
wait_for("child")
note("task")
"""


def test_a_child_that_needs_some_of_its_grace_to_end_cleanly_gets_it(project: Project, family: Family) -> None:
    code = family.code(_TIDY.format(wait="time.sleep(0.5)") + "forever()")

    details = project.run_once(code, timeout="2s", kill_grace="30s")

    assert details.run.status == "timed_out"
    assert family.names()[-1] == "tidied-up"
    assert details.run.duration_seconds is not None
    assert details.run.duration_seconds < 25


def test_the_end_of_one_run_does_not_take_the_grace_of_another(project: Project, family: Family) -> None:
    # The runs end while the tick is kept from looking: what a busy machine does by chance.
    project.task("a", family.code("note('a')\nwait_for('b-is-ending')"))
    code = family.code(
        _TIDY.format(wait="wait_for('end-now')")
        + """\
def stop_the_tick(*_):
    wait_for("asked")
    os.kill(os.getppid(), signal.SIGSTOP)
    note("b-is-ending")
    os._exit(1)
signal.signal(signal.SIGTERM, stop_the_tick)
forever()"""
    )
    project.task("b", code, timeout="2s", kill_grace="30s")
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("a", "task", "asked", "b-is-ending")
        wait_until(lambda: not is_alive(family.pid("a")) and not is_alive(family.pid("task")), "the end of both")
        tick.send_signal(signal.SIGCONT)
        wait_until(lambda: project.runs("a")[0].status == "succeeded", "the record of a")
        family.note("end-now")
        tick.wait()

    assert "tidied-up" in family.names()


_ORPHAN = """\
trap 'echo "$$ asked" >> {notes}' TERM
echo "$$ orphan" >> {notes}
until grep -q "^0 end-now" {notes}; do sleep 0.05; done
echo "$$ tidied-up" >> {notes}"""


def test_what_one_run_has_left_in_its_grace_is_not_killed_when_another_run_ends(
    project: Project, family: Family
) -> None:
    # The program has neither the name nor the environment by which the processes of a run are known.
    script = _ORPHAN.format(notes=family.notes)
    code = f"import subprocess\nnote('leader')\nsubprocess.Popen(['sh', '-c', {script!r}], env={{}})\nforever()"
    project.task("leaves", family.code(code), timeout="2s", kill_grace="60s")
    project.task("other", family.code("note('other')\nwait_for('other-may-end')"))
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("leader", "orphan", "other", "asked")
        wait_until(lambda: state_of(family.pid("leader")) is None, "the end of the leader, seen by the tick")
        family.note("other-may-end")
        wait_until(lambda: project.runs("other")[0].status == "succeeded", "the record of the other run")
        family.note("end-now")
        tick.wait()

    assert family.names()[-1] == "tidied-up"
    assert project.runs("leaves")[0].status == "timed_out"


def test_a_stopped_task_times_out(project: Project, family: Family) -> None:
    code = family.code("note('task')\nprint('stopping')\nos.kill(os.getpid(), signal.SIGSTOP)")

    details = project.run_once(code, **_AT_ONCE)

    assert (details.run.status, details.run.signal, details.output) == ("timed_out", signal.SIGKILL, b"stopping\n")
    assert family.survivors() == []


def test_a_fork_bomb_is_gone_with_its_run(project: Project, family: Family) -> None:
    code = family.code(
        _IGNORE_TERM
        + """\
for _ in range(5):
    os.fork()
if os.getpid() % 2 and os.getpid() != os.getpgrp():
    os.setsid()
note("process")
forever()"""
    )
    details = project.run_once(code, **_AT_ONCE)

    assert details.run.status == "timed_out"
    assert family.names() == ["process"] * 32
    assert family.survivors() == []


@pytest.mark.parametrize("flight", ["", "os.setsid()"])
def test_a_process_that_flees_by_forking_again_and_again_is_caught(
    project: Project, tmp_path: Path, flight: str
) -> None:
    beat, halt = tmp_path / "beat", tmp_path / "halt"
    code = f"""\
import os, time
give_up = time.monotonic() + 10
for _ in range(2):
    if os.fork() == 0:
        count = 0
        while time.monotonic() < give_up and not os.path.exists({str(halt)!r}):
            count += 1
            {flight}
            if count % 20 == 0:
                open({str(beat)!r}, "w").write(str(os.getpid()))
            if os.fork():
                os._exit(0)
        os._exit(0)
while not os.path.exists({str(beat)!r}):
    time.sleep(0.001)
"""
    try:
        details = project.run_once(code, timeout="30s")
        assert details.run.status == "succeeded"
        before = beat.stat().st_mtime_ns
        for _ in range(200):
            os.sched_yield()
        last = int(beat.read_text() or 0)
        assert (beat.stat().st_mtime_ns, last and is_alive(last)) == (before, False)
    finally:
        halt.touch()


#: Has children leave processes that flee by forking; prints how many of them are alive once those that were left are
#: killed.
_ROUNDS = """\
import os, time
from runner.execution.system import linux, processes

def flee():
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        os.setsid()
        if os.fork():
            os._exit(0)
    os._exit(0)

def missed():
    child = os.fork()
    if child == 0:
        for _ in range(2):
            if os.fork() == 0:
                flee()
        os._exit(0)
    os.waitpid(child, 0)
    left = lambda: processes.left_by(child, set(), [])
    processes.end_all(left)
    found = left()
    while found:
        processes.end_all(left)
        found = left()
        yield 1

processes.adopt_orphans()
print(sum(sum(missed()) for _ in range(300)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody adopts orphans")
def test_no_process_that_flees_by_forking_is_missed_between_a_look_and_the_end_of_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", _ROUNDS], check=True, capture_output=True, text=True)

    assert done.stdout == "0\n"


def test_one_run_that_times_out_does_not_disturb_the_others(project: Project, family: Family) -> None:
    project.task("bad", family.code(_IGNORE_TERM + "daemon('bad-daemon')\nnote('bad')\nforever()"), **_SHORT)
    good = """\
child = os.fork()
if child == 0:
    note(task.id + "-child")
    wait_for(task.id + "-go")
    note(task.id + "-child-end")
    os._exit(0)
daemon(task.id + "-daemon")
note(task.id)
while is_alive(bad):
    time.sleep(0.01)
os.kill(int(daemon_pid()), 0)
note(task.id + "-go")
os.waitpid(child, 0)
print("undisturbed")
"""
    helpers = f"""\
def lines():
    with open({str(family.notes)!r}) as file:
        return [line.split() for line in file]
def daemon_pid():
    return next(pid for pid, name in lines() if name == task.id + "-daemon")
def is_alive(pid):
    try:
        with open(f"/proc/{{pid}}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
wait_for("bad")
bad = next(pid for pid, name in lines() if name == "bad")
"""
    for name in ("one", "two"):
        project.task(name, family.code(helpers + good), timeout="1m")
    project.commit()
    project.tick()

    assert {run.task: run.status for run in project.runs()} == {
        "bad": "timed_out",
        "one": "succeeded",
        "two": "succeeded",
    }
    assert [project.show(project.runs(name)[0].run_id).output for name in ("one", "two")] == [b"undisturbed\n"] * 2
    assert {"one-child-end", "two-child-end"} <= set(family.names())
    assert family.survivors() == []


def test_a_process_that_the_caller_has_left_to_the_tick_is_not_touched(project: Project, family: Family) -> None:
    mine = os.fork()
    if mine == 0:
        try:
            time.sleep(60)
        finally:
            os._exit(0)
    try:
        project.run_once(family.code("daemon('daemon')"))

        assert family.survivors() == []
        assert is_alive(mine)
    finally:
        os.kill(mine, signal.SIGKILL)
        os.waitpid(mine, 0)


def test_no_zombie_is_left_to_the_tick(project: Project) -> None:
    before = _own_children()

    project.run_once("import os\nfor _ in range(20):\n    if os.fork() == 0:\n        os._exit(0)")

    assert _own_children() <= before


def _own_children() -> set[str]:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        return set(file.read().split())


def test_a_run_that_ended_in_time_has_succeeded_though_the_tick_looks_late(project: Project, family: Family) -> None:
    project.task("once", family.code("os.kill(os.getppid(), signal.SIGSTOP)\nnote('task')"), timeout="3s")
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("task")
        began = time.monotonic()
        wait_until(lambda: state_of(family.pid("task")) == "Z", "the end of the task")
        wait_until(lambda: time.monotonic() > began + 3.1, "the time limit")
        tick.send_signal(signal.SIGCONT)
        tick.wait()

    [run] = project.runs()
    assert (run.status, run.exit_code) == ("succeeded", 0)


def test_a_database_locked_by_somebody_does_not_make_a_good_run_time_out(project: Project, family: Family) -> None:
    project.task("first", family.code("note('first')\nwait_for('locked')"))
    project.task("once", family.code("note('once')\nwait_for('go')"), timeout="10s")
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("first", "once")
        began = time.monotonic()
        wait_until(lambda: all(run.started_at for run in project.runs()), "the record of the starts")
        with closing(sqlite3.connect(project.state / "runner.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            family.note("locked")
            wait_until(lambda: any(_has_open(pid, "runner.db") for pid in processes_of(tick)), "the wait for the lock")
            family.note("go")
            wait_until(lambda: not is_alive(family.pid("once")), "the end of the task")
            assert time.monotonic() < began + 10, "too busy a machine"
            wait_until(lambda: time.monotonic() > began + 10.1, "the time limit")
            connection.execute("COMMIT")
        tick.wait()

    [run] = project.runs("once")
    assert (run.status, run.exit_code) == ("succeeded", 0)


def _has_open(pid: int, name: str) -> bool:
    """Return whether a process has a file of that name open."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if link.readlink().name == name:
                return True
        except FileNotFoundError:
            continue
    return False
