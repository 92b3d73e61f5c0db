"""Owners of runs: killed, stopped, frozen, or without their file. No attempt is made twice, no record is mixed up."""

from __future__ import annotations

import os
import pty
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.execution.system.cgroups import find
from tests.support.namespace import needs_namespace
from tests.support.processes import Family, background, family_of, is_alive, processes_of, signal_tick, state_of
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.users import without_rights
from tests.support.waiting import wait_until
from tests.support.worlds import hand_over, ordinary_user, second_pid_namespace

_HOUR, _YEAR = timedelta(hours=1), timedelta(days=365)
_DAILY: dict[str, Any] = {"cron": "0 12 * * *"}
_RETRY = {"attempts": 2, "delay": "0s"}
#: The first attempt lasts, the second one ends.
_ONCE = "note(f'attempt-{task.attempt}')\nif task.attempt == 1: forever()"
#: Its tick's process that records is stopped as soon as the code has begun, and before the start is on record.
_UNRECORDED = """\
forks = os.getppid()
for pid in open(f"/proc/{forks}/task/{forks}/children").read().split():
    if int(pid) != os.getpid():
        os.kill(int(pid), signal.SIGSTOP)
"""
#: Runs a command as a job in the foreground: the kernel stops no process whose group nobody watches (setpgid(2)).
_SHELL = """\
import os, signal, sys
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while os.WIFSTOPPED(os.waitpid(job, os.WUNTRACED)[1]):
    pass
"""
#: Which processes of a tick: the one that forks, the one that decides and records, or both.
_PARTS: dict[str, Callable[[list[int]], list[int]]] = {
    "both": lambda pids: pids,
    "the one that forks": lambda pids: pids[:1],
    "the one that records": lambda pids: pids[1:],
}


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _send(pids: list[int], number: int) -> None:
    for pid in pids:
        if is_alive(pid):
            os.kill(pid, number)


@contextmanager
def _ticking(project: Project, family: Family, code: str = _ONCE, **keys: Any) -> Iterator[subprocess.Popen[str]]:
    """Tick in the background, at NOON, until the first attempt of the task `once` is on record."""
    project.task("once", family.code(code), **{**_DAILY, "start": "2026-01-01", "kill_grace": "1s", **keys})
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("attempt-1")
        if "signal.SIGSTOP" not in code:  # else whoever would tell of it, or record it, may be stopped by now
            wait_until(lambda: _is_recorded(project), "the record of the start")
        pids = processes_of(tick)
        try:
            yield tick
        finally:
            _send(pids, signal.SIGKILL)


def _is_recorded(project: Project) -> bool:
    return any(run.started_at for run in project.runs("once"))


def _attempts(project: Project, run_id: int = 1) -> list[str]:
    return [attempt.status for attempt in project.show(run_id).attempts]


def _begun_twice(family: Family) -> list[str]:
    return [name for name, times in Counter(family.names()).items() if times > 1]


def _owner_file(project: Project) -> Path:
    [file] = (project.state / "owners").iterdir()
    return file


def _record(project: Project, run_id: int = 1) -> list[object]:
    with project.database() as database:
        tables = (("runs", "id"), ("attempts", "run"), ("outputs", "run"), ("events", "run"))
        return [
            database.execute(f"SELECT * FROM {table} WHERE {column} = ? ORDER BY 1, 2", (run_id,)).fetchall()  # noqa: S608
            for table, column in tables
        ]


# Killed


@pytest.mark.parametrize("moment", ["on record", "before its start is on record"])
@pytest.mark.parametrize("part", _PARTS)
def test_whichever_process_of_a_tick_is_killed_its_run_is_lost_and_tried_again_once(
    project: Project, family: Family, part: str, moment: str
) -> None:
    code = _ONCE if moment == "on record" else _ONCE.replace("forever()", "\n" + _indented(_UNRECORDED + "forever()"))
    with _ticking(project, family, code, retry=_RETRY) as tick:
        pids = processes_of(tick)
        _send(_PARTS[part](pids), signal.SIGKILL)
        _send(pids, signal.SIGCONT)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of both processes")
        assert tick.wait(100) != 0
    wait_until(lambda: family.survivors() == [], "the end of the task")

    ticked = project.runner("tick", now=NOON + MINUTE)

    assert (ticked.returncode, ticked.stderr) == (0, "")
    assert _attempts(project) == ["lost", "succeeded"]
    assert family.names() == ["attempt-1", "attempt-2"]
    assert list((project.state / "owners").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV], ids=lambda number: number.name)
def test_several_runs_of_a_tick_end_with_the_process_that_records_and_the_tick_says_so(
    project: Project, family: Family, number: signal.Signals
) -> None:
    names = [f"more-{count}" for count in range(3)]
    for name in names:
        code = f"note('{name}')\nos.posix_spawn('/bin/sleep', ['sleep', '60'], os.environ)\nforever()"
        project.task(name, family.code(code), **_DAILY, start="2026-01-01")
    with _ticking(project, family) as tick:
        family.wait_for(*names)
        _send(_PARTS["the one that records"](processes_of(tick)), number)

        assert tick.wait(100) == 1
        assert tick.stderr is not None
        assert tick.stderr.read().startswith("error: the process that decides what is due was killed by signal ")
    assert family.survivors() == []


def _indented(code: str) -> str:
    return textwrap.indent(code, "    ")


def _remove(file: Path) -> None:
    file.unlink()


def _empty(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize("spoil", [_remove, _empty], ids=["removed", "emptied"])
def test_a_run_whose_owner_left_no_notes_may_have_begun_and_is_not_begun_again(
    project: Project, family: Family, spoil: Callable[[Path], None]
) -> None:
    with _ticking(project, family, f"note('attempt-1')\n{_UNRECORDED}forever()") as tick:
        file = _owner_file(project)
        _send(processes_of(tick), signal.SIGKILL)
        tick.wait(100)
        spoil(file)
        wait_until(lambda: not family.survivors(), "the end of the task")

    project.runner("tick", now=NOON + MINUTE)
    project.runner("tick", now=NOON + 2 * MINUTE)

    assert [run.status for run in project.runs("once")] == ["lost"]
    assert family.names() == ["attempt-1"]


# Elsewhere


def test_a_run_whose_owner_file_may_not_be_opened_is_left_alone_and_status_says_so(
    project: Project, family: Family
) -> None:
    with _ticking(project, family, "note('attempt-1')\nwait_for('end')\nprint('whole')", retry=_RETRY) as tick:
        file = _owner_file(project)
        mode = file.stat().st_mode
        file.chmod(0)

        for words in (("tick",), ("status",), ("status", "--json")):
            done = _without_rights(project, *words)
            assert done.returncode == 0, done.stderr
        assert "may not open its owner file" in _without_rights(project, "status").stdout
        assert is_alive(family.pid("attempt-1"))
        file.chmod(mode)
        family.note("end")
        assert tick.wait(100) == 0

    assert _attempts(project) == ["succeeded"]
    assert _begun_twice(family) == []


def _without_rights(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*without_rights(), RUNNER, *words],
        cwd=project.root,
        env=project.environment(NOON + MINUTE),
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


@needs_namespace
def test_an_ordinary_user_who_does_not_see_the_owner_leaves_its_run_alone(tmp_path: Path, family: Family) -> None:
    trusting = tmp_path / "gitconfig"
    trusting.write_text("[safe]\n\tdirectory = *\n")
    with ordinary_user() as world:
        project = world.project
        family.notes.touch()
        family.notes.chmod(0o666)
        code = "note('attempt-1')\nwait_for('end')\nprint('whole')"
        project.task("once", family.code(code), **_DAILY, start="2026-01-01", retry=_RETRY)
        project.commit()
        hand_over(world)
        with background(project, "tick", now=NOON, env={"GIT_CONFIG_GLOBAL": str(trusting)}) as tick:
            family.wait_for("attempt-1")
            wait_until(lambda: _is_recorded(project), "the record of the start")
            hand_over(world)

            ticked = world.runner("tick", now=NOON + MINUTE)
            assert (ticked.returncode, ticked.stderr) == (0, "")
            assert is_alive(family.pid("attempt-1"))
            family.note("end")
            assert tick.wait(100) == 0

        assert _attempts(project) == ["succeeded"]


@needs_namespace
@pytest.mark.parametrize("where", ["run inside", "run outside"])
def test_a_request_to_end_reaches_a_run_of_another_pid_namespace(project: Project, family: Family, where: str) -> None:
    project.task("once", family.code("note('attempt-1')\nforever()"), **_DAILY, start="2026-01-01", kill_grace="1s")
    project.commit()
    other = second_pid_namespace(project)
    with other.background("run", "once") if where == "run inside" else background(project, "run", "once"):
        family.wait_for("attempt-1")

        done = project.runner("cancel", "1") if where == "run inside" else other.runner("cancel", "1")

        assert (done.returncode, done.stdout) == (0, "run 1 cancelled\n"), done.stderr
    assert [run.status for run in project.runs()] == ["cancelled"]


@needs_namespace
def test_folders_that_a_killed_tick_of_another_pid_namespace_had_to_spare_are_removed(
    project: Project, family: Family
) -> None:
    project.task("b-quick", family.code("wait_for('attempt-1')"))
    project.task("a-slow", family.code("note('attempt-1')\nforever()"))
    project.commit()
    work = project.state / "work"
    with second_pid_namespace(project).background("tick") as tick:
        family.wait_for("attempt-1")
        wait_until(lambda: any(work.glob("spare-*")), "a folder to spare")
        tick.kill()
        tick.wait(100)
    project.task("a-slow")
    project.commit()

    project.runner("tick", now=NOON)

    wait_until(lambda: not any(work.glob("spare-*")), "the removal of the folders", patience=1)


@needs_namespace
def test_a_stopped_owner_of_another_pid_namespace_is_left_alone_and_that_is_said(
    project: Project, family: Family
) -> None:
    with _ticking(project, family, retry=_RETRY) as tick:
        signal_tick(tick, signal.SIGSTOP)
        other = second_pid_namespace(project)

        cancelled = other.runner("cancel", "1")
        ticked = other.runner("tick", now=NOON + 5 * _HOUR)

        assert cancelled.returncode == 1
        assert "does not answer, and runs where this command cannot see it" in cancelled.stderr
        assert ticked.returncode == 0
        assert [run.status for run in project.runs()][:1] == ["running"]
        assert is_alive(family.pid("attempt-1"))
        signal_tick(tick, signal.SIGCONT)
        tick.wait(100)

    assert _attempts(project) == ["cancelled"]


# Stopped


@pytest.mark.parametrize("part", _PARTS)
def test_a_stopped_tick_is_shown_by_status(project: Project, family: Family, part: str) -> None:
    with _ticking(project, family) as tick:
        assert project.json("status", now=NOON)["unanswered"] == []
        _send(_PARTS[part](processes_of(tick)), signal.SIGSTOP)

        [told] = project.json("status", now=NOON)["unanswered"]
        assert told["run_id"] == 1
        assert "is stopped" in told["reason"]
        said = project.runner("status", now=NOON)
        assert " ".join(told["reason"].split()) in " ".join(said.stdout.split())


@pytest.mark.parametrize("part", _PARTS)
def test_cancel_ends_the_run_of_a_stopped_tick_itself_and_its_slot_comes_back(
    project: Project, family: Family, part: str
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    with _ticking(project, family, retry=_RETRY) as tick:
        pids = processes_of(tick)
        _send(_PARTS[part](pids), signal.SIGSTOP)

        done = project.runner("cancel", "1", timeout=60)

        assert (done.returncode, done.stdout) == (0, "run 1 cancelled\n"), done.stderr
        assert "attempt-1" not in family.survivors()
        assert _attempts(project) == ["cancelled"]
        _expect_a_free_slot(project)
        assert list((project.state / "work").glob("1-*")) == []
        before = _record(project)
        _send(pids, signal.SIGCONT)
        assert tick.wait(100) in {0, 1, -signal.SIGKILL}
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of both processes")
    assert _record(project) == before


@pytest.mark.parametrize("part", _PARTS)
def test_other_ticks_end_what_a_stopped_tick_should_have_ended_and_its_slot_comes_back(
    project: Project, family: Family, part: str
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    with _ticking(project, family) as tick:
        pids = processes_of(tick)
        _send(_PARTS[part](pids), signal.SIGSTOP)
        project.runner("tick", now=NOON + 50 * MINUTE)
        assert [run.status for run in project.runs()] == ["running"]

        project.runner("tick", now=NOON + 2 * _HOUR)

        assert [run.status for run in project.runs()] == ["timed_out"]
        assert "does not answer" in str(project.runs()[0].reason)
        assert "attempt-1" not in family.survivors()
        _expect_a_free_slot(project)
        assert list((project.state / "work").glob("1-*")) == []
        before = _record(project)
        _send(pids, signal.SIGCONT)
        tick.wait(100)
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of both processes")
    assert _record(project) == before


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    """Freeze processes by a control group of their own, as a container is paused; let them go on at the end."""
    base = find()
    if base is None and (os.geteuid() != 0 or not os.environ.get("CI")):
        pytest.skip("needs a control group in which groups can be made")
    group = Path(str(base)) / f"frozen-{pids[0]}"
    group.mkdir()
    try:
        for pid in pids:
            (group / "cgroup.procs").write_text(str(pid))
        (group / "cgroup.freeze").write_text("1")
        wait_until(lambda: "frozen 1" in (group / "cgroup.events").read_text(), "all of them to be frozen")
        yield
    finally:
        (group / "cgroup.freeze").write_text("0")
        wait_until(lambda: not (group / "cgroup.procs").read_text(), "the end of all of them")
        group.rmdir()


@pytest.mark.parametrize("with_the_task", [False, True])
def test_a_frozen_tick_is_shown_and_others_end_its_run_within_seconds_or_after_its_time(
    project: Project, family: Family, *, with_the_task: bool
) -> None:
    with _ticking(project, family) as tick:
        pids = [*processes_of(tick), *([family.pid("attempt-1")] if with_the_task else [])]
        with _frozen(pids):
            [told] = project.json("status", now=NOON)["unanswered"]
            assert "is stopped" in told["reason"]

            if with_the_task:
                assert project.runner("cancel", "1", timeout=60).returncode == 0
            else:
                project.runner("tick", now=NOON + 2 * _HOUR)

            assert _attempts(project) == ["cancelled" if with_the_task else "timed_out"]
            assert "attempt-1" not in family.survivors()
            before = _record(project)
    assert _record(project) == before


def _expect_a_free_slot(project: Project) -> None:
    project.task("other", "print('other')", cron="0 0 1 1 *")
    project.commit()
    with background(project, "run", "other", now=NOON + MINUTE) as other:
        assert other.wait(30) == 0


@pytest.mark.parametrize("jump", [2 * _HOUR, 30 * _HOUR, 3 * _YEAR, -_YEAR, -56 * _YEAR], ids=str)
def test_a_clock_that_jumps_ends_no_run_of_a_healthy_tick(project: Project, family: Family, jump: timedelta) -> None:
    with _ticking(project, family, "note('attempt-1')\nwait_for('end')\nprint('whole')", timeout="1h") as tick:
        assert project.runner("tick", now=NOON + jump).returncode == 0
        assert project.json("status", now=NOON + jump)["unanswered"] == []

        assert is_alive(family.pid("attempt-1"))
        family.note("end")
        assert tick.wait(100) == 0

    assert _attempts(project) == ["succeeded"]
    assert _begun_twice(family) == []


def test_a_run_by_hand_that_was_put_aside_with_ctrl_z_is_ended_by_cancel_and_its_slot_comes_back(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("once", family.code("note('runner', os.getppid())\nnote('attempt-1')\nforever()"), cron="0 0 1 1 *")
    project.commit()
    shell, window = pty.fork()
    if shell == 0:
        os.chdir(project.root)
        os.execve(sys.executable, [sys.executable, "-c", _SHELL, RUNNER, "run", "once"], project.environment(NOON))  # noqa: S606
    try:
        family.wait_for("attempt-1")
        wait_until(lambda: _is_recorded(project), "the record of the start")
        os.write(window, b"\x1a")
        wait_until(lambda: state_of(family.pid("runner")) == "T", "the stop")

        done = project.runner("cancel", "1", timeout=60)

        assert (done.returncode, done.stdout) == (0, "run 1 cancelled\n"), done.stderr
        assert "does not answer" in done.stderr
        assert "attempt-1" not in family.survivors()
        _expect_a_free_slot(project)
    finally:
        _send([family.pid("runner"), shell], signal.SIGKILL)
        os.close(window)
        os.waitpid(shell, 0)


# Stopped, given up, and continued


def _cancel(project: Project) -> None:
    assert project.runner("cancel", "2", timeout=60).returncode == 0


def _lose(project: Project) -> None:
    _owner_file(project).unlink()
    project.runner("tick", now=NOON + MINUTE)


def _overdue(project: Project) -> None:
    project.runner("tick", now=NOON + 5 * _HOUR)


#: Ways to give up what a stopped tick has, without the file of its owner, in its time, or on request.
_GIVEN_UP = {"cancelled": _cancel, "lost by the removal of its file": _lose, "overdue": _overdue}


def _is_stopped_outside_of_a_transaction(project: Project, pids: list[int]) -> bool:
    """Stop processes; return whether none of them holds the write lock, else let them go on."""
    _send(pids, signal.SIGSTOP)
    with closing(sqlite3.connect(project.state / "runner.db", timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            _send(pids, signal.SIGCONT)
            return False
    return True


@pytest.mark.parametrize("way", _GIVEN_UP)
def test_what_was_given_up_before_it_began_does_not_begin_when_its_tick_goes_on(
    project: Project, family: Family, way: str
) -> None:
    project.task("second", family.code("note(f'second-{task.attempt}')"), **_DAILY, start="2026-01-01", retry=_RETRY)
    stop = "os.kill(os.getppid(), signal.SIGSTOP)\nnote('attempt-1')\nwait_for('end')"
    with _ticking(project, family, stop, timeout="3h") as tick:
        pids = processes_of(tick)
        wait_until(lambda: _is_taken(project, "second"), "the second run to be taken")
        wait_until(lambda: _is_stopped_outside_of_a_transaction(project, pids), "a moment without a transaction")

        has_begun = "2-1" in _owner_file(project).read_text().splitlines()
        _GIVEN_UP[way](project)
        before = _record(project, 2)
        names = family.names()
        _send(pids, signal.SIGCONT)
        family.note("end")
        assert tick.wait(100) in ({0, 1, -signal.SIGKILL} if has_begun else {1, -signal.SIGKILL})
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of both processes")

    assert family.names() == [*names, "end"]
    assert _record(project, 2) == before
    assert _begun_twice(family) == []


def _is_taken(project: Project, task: str) -> bool:
    with project.database() as database:
        sql = "SELECT supervisor FROM runs r JOIN tasks t ON t.key = r.task WHERE t.id = ? AND supervisor IS NOT NULL"
        return database.execute(sql, (task,)).fetchone() is not None
