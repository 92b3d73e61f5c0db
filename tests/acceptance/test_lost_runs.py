"""A tick that was killed: the next one ends what is left, says so, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.operations.ticking.lost_runs import end_lost
from tests.support.processes import Family, background, family_of, is_alive, kill_tick, processes_of
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

#: Runs end at once when their tick is asked to.
_NO_GRACE = "shutdown_grace: 0s\n"
_STUBBORN = """\
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        note("grandchild")
        forever()
    note("child")
    forever()
import subprocess
def start(name, *words, **keys):
    note(name, subprocess.Popen([*words], **keys).pid)
start("program", "sleep", "60")
start("program-of-its-own", "sleep", "60", start_new_session=True, stdout=subprocess.DEVNULL)
daemon("daemon")
daemon("silent-daemon", keep=False)
open("a file in the folder", "w").close()
wait_for("child")
wait_for("grandchild")
note("ready")
forever()
"""
_EVERYBODY = {"child", "grandchild", "program", "program-of-its-own", "daemon", "silent-daemon", "ready"}


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


@contextmanager
def _ticking(project: Project, family: Family, code: str) -> Iterator[subprocess.Popen[str]]:
    """Tick in the background, at NOON, until the task has noted that it is ready."""
    project.task("once", family.code(code))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("ready")
        wait_until(lambda: [run.started_at for run in project.runs()] != [None], "the record of the start")
        yield tick


def _kill_and_tick(project: Project, family: Family, code: str) -> subprocess.CompletedProcess[str]:
    """Kill a tick while a task runs; return what the next minute's tick says, which finds a harmless version."""
    with _ticking(project, family, code) as tick:
        kill_tick(tick)
    project.task("once", "print('again')")
    project.commit()
    return project.runner("tick", now=NOON + MINUTE)


def test_a_run_whose_tick_was_killed_is_lost_and_the_task_runs_again(project: Project, family: Family) -> None:
    done = _kill_and_tick(project, family, _STUBBORN)

    first, second = project.runs()
    assert (done.returncode, done.stderr) == (0, "")
    assert first.status == "lost"
    assert str(first.reason).startswith("the runner that supervised it (pid ")
    assert first.finished_at is not None
    assert first.finished_at >= NOON + MINUTE
    assert (second.status, second.scheduled_for) == ("succeeded", NOON.replace(microsecond=0) + MINUTE)
    assert project.show(second.run_id).output == b"again\n"


def test_nothing_of_a_lost_run_is_left(project: Project, family: Family) -> None:
    _kill_and_tick(project, family, _STUBBORN)

    assert set(family.names()) == _EVERYBODY
    assert family.survivors() == []
    assert list((project.state / "work").iterdir()) == []


def test_the_task_itself_dies_with_its_tick(project: Project, family: Family) -> None:
    with _ticking(project, family, _STUBBORN) as tick:
        kill_tick(tick)
        wait_until(lambda: "ready" not in family.survivors(), "the death of the task")


def test_a_run_by_hand_cleans_up_after_a_killed_tick_too(project: Project, family: Family) -> None:
    with _ticking(project, family, _STUBBORN) as tick:
        kill_tick(tick)
    project.task("once", "print('again')")
    project.commit()
    done = project.runner("run", "once", now=NOON)

    assert done.stdout == "again\n"
    assert [run.status for run in project.runs()] == ["lost", "succeeded"]
    assert family.survivors() == []


def test_a_killed_run_by_hand_is_lost_too(project: Project, family: Family) -> None:
    project.task("once", family.code(_STUBBORN), cron="0 0 1 1 *")
    project.commit()
    with background(project, "run", "once", now=NOON) as command:
        family.wait_for("ready")
        kill_tick(command)
    project.runner("tick", now=NOON + MINUTE)

    assert [run.status for run in project.runs()] == ["lost"]
    assert family.survivors() == []


def test_a_killed_tick_with_several_runs_loses_each_of_them_once(project: Project, family: Family) -> None:
    for name in ("a", "b", "c"):
        project.task(name, family.code("note(task.id)\nforever()"))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("a", "b", "c")
        kill_tick(tick)
    for name in ("a", "b", "c"):
        project.task(name)
    project.commit()
    with background(project, "tick", now=NOON + MINUTE) as one, background(project, "tick", now=NOON + MINUTE) as two:
        assert (one.wait(), two.wait()) == (0, 0)

    for name in ("a", "b", "c"):
        assert [run.status for run in project.runs(name)] == ["lost", "succeeded"]
    assert family.survivors() == []


def test_a_live_supervisor_is_never_declared_lost(project: Project, family: Family) -> None:
    with _ticking(project, family, "daemon('daemon')\nnote('ready')\nwait_for('go')\nprint('to the end')") as tick:
        for _ in range(3):
            assert project.runner("tick", now=NOON + MINUTE).returncode == 0
        assert project.runs()[0].status == "running"
        assert "daemon" in family.survivors()
        family.note("go")
        tick.wait()

    run = project.runs()[0]
    assert (run.status, project.show(run.run_id).output) == ("succeeded", b"to the end\n")


def test_a_stopped_supervisor_is_not_declared_lost(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nwait_for('go')") as tick:
        tick.send_signal(signal.SIGSTOP)
        project.runner("tick", now=NOON + MINUTE)
        assert project.runs()[0].status == "running"
        family.note("go")
        tick.send_signal(signal.SIGCONT)
        tick.wait()

    assert project.runs()[0].status == "succeeded"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGTERM, "runner was asked to end"),
        (signal.SIGINT, "Ctrl-C"),
        (signal.SIGHUP, "the terminal is gone"),
    ],
)
def test_a_signal_to_a_tick_ends_its_runs_cancelled(
    project: Project, family: Family, number: signal.Signals, reason: str
) -> None:
    project.write("runner.yaml", _NO_GRACE)
    with _ticking(project, family, "daemon('daemon')\nprint('so far')\nnote('ready')\nforever()") as tick:
        tick.send_signal(number)
        tick.wait()

    [run] = project.runs()
    assert (run.status, run.reason, run.signal) == ("cancelled", reason, signal.SIGTERM)
    assert project.show(run.run_id).output == b"so far\n"
    assert family.survivors() == []
    assert list((project.state / "work").iterdir()) == []


def test_a_task_that_ignores_term_is_killed_after_its_grace_when_its_tick_is_ended(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", _NO_GRACE)
    project.task("once", family.code(_STUBBORN), kill_grace="1s")
    project.commit()
    with background(project, "tick") as tick:
        family.wait_for("ready")
        tick.terminate()
        tick.wait()

    assert [run.status for run in project.runs()] == ["cancelled"]
    assert family.survivors() == []


def test_ctrl_c_ends_a_tick_with_exit_code_130(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nforever()") as tick:
        tick.send_signal(signal.SIGINT)

        assert tick.wait() == 130


@pytest.mark.parametrize(
    "leave", ["shutil.make_archive(os.getcwd(), 'zip', '.')", "shutil.copytree('.', os.getcwd() + '-copy')"]
)
def test_what_a_lost_run_has_left_beside_its_folder_does_not_end_the_next_tick(
    project: Project, family: Family, leave: str
) -> None:
    done = _kill_and_tick(
        project, family, f"import shutil\nopen('file', 'w').close()\n{leave}\nnote('ready')\nforever()"
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [run.status for run in project.runs()] == ["lost", "succeeded"]


def test_a_program_with_an_environment_of_its_own_is_killed_with_its_lost_run(project: Project, family: Family) -> None:
    code = "import subprocess\nnote('program', subprocess.Popen(['sleep', '60'], env={}).pid)\nnote('ready')\nforever()"

    _kill_and_tick(project, family, code)

    assert family.survivors() == []


def test_a_child_that_gives_itself_a_name_is_killed_with_its_lost_run(project: Project, family: Family) -> None:
    code = """\
import ctypes
if os.fork() == 0:
    ctypes.CDLL(None).prctl(15, b"worker", 0, 0, 0)
    note("worker")
    forever()
wait_for("worker")
note("ready")
forever()
"""
    _kill_and_tick(project, family, code)

    assert family.survivors() == []


def test_folders_that_a_killed_tick_had_to_spare_are_removed_too(project: Project) -> None:
    slow = project.root.parent / "slow"
    # The folder of the quick one is to be left over: the slow one has its own by then.
    project.task("a-quick", f"import os, time\nwhile not os.path.exists({str(slow)!r}):\n    time.sleep(0.01)")
    project.task("b-slow", f"import time\nopen({str(slow)!r}, 'w').close()\ntime.sleep(600)")
    project.write("runner.yaml", "max_parallel: 2\n")
    project.commit()
    work = project.state / "work"
    with background(project, "tick") as tick:
        wait_until(lambda: work.exists() and any(work.glob("spare-*")), "a folder to spare")
        wait_until(lambda: project.runs("b-slow")[0].started_at, "the start of the other task")
        kill_tick(tick)

    project.task("b-slow")
    project.commit()
    assert "b-slow" in {run.task for run in project.tick(NOON).lost}
    assert not any(work.glob("spare-*"))


def test_a_spare_folder_of_a_killed_tick_goes_also_while_nobody_has_waited_for_that_tick(project: Project) -> None:
    project.task("slow", "import time\ntime.sleep(60)")
    project.commit()
    with background(project, "tick", now=NOON) as ticking:
        wait_until(lambda: [run for run in project.runs() if run.started_at], "the run to have started")
        spare = project.state / "work" / f"spare-{ticking.pid}-1"
        spare.mkdir()
        [_, *others] = processes_of(ticking)
        os.kill(ticking.pid, signal.SIGKILL)
        wait_until(lambda: not any(is_alive(pid) for pid in others), "the end of the process that records")
        # It stays a zombie: nothing here waits for it before the next tick has been.
        wait_until(lambda: "Z" in Path(f"/proc/{ticking.pid}/stat").read_text().rpartition(")")[2], "its end")

        def is_removed() -> bool:
            end_lost(project.workspace, NOON + MINUTE)  # the process that decides holds the lock until it has noticed
            return not spare.exists()

        wait_until(is_removed, "the removal of the spare folder")
