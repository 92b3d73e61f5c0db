"""What other systems than Linux have must do: `RUNNER_PORTABLE` makes the real command use it here, too."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Family, background, family_of, is_alive, kill_tick
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(shutil.which("ps") is None, reason="the portable means need ps(1)")

_PORTABLE = {"RUNNER_PORTABLE": "1"}
_IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
#: Time enough for a tree to stand on a busy machine.
_SHORT = {"timeout": "2s", "kill_grace": "1s"}
_AT_ONCE = {"timeout": "2s", "kill_grace": "0s"}
_PROGRAM = "import subprocess\nnote('program', subprocess.Popen(['sleep', '60']).pid)\n"


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _tick(project: Project) -> None:
    project.commit()
    done = project.runner("tick", env=_PORTABLE)
    assert (done.returncode, done.stderr) == (0, "")


def test_tasks_run_and_their_output_and_errors_are_kept(project: Project) -> None:
    project.task("good", "import os\nprint('out')\nos.write(2, b'err\\n')")
    project.task("bad", "raise ValueError('no')")
    _tick(project)

    [bad], [good] = project.runs("bad"), project.runs("good")
    assert (good.status, project.show(good.run_id).output) == ("succeeded", b"out\nerr\n")
    assert (bad.status, bad.reason) == ("failed", "ValueError: no")
    assert list((project.state / "work").iterdir()) == []


def test_a_tree_that_ignores_term_is_killed_after_its_grace(project: Project, family: Family) -> None:
    code = """\
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        note("grandchild-of-its-own")
        forever()
    note("child")
    forever()
wait_for("grandchild-of-its-own")
note("task")
forever()"""
    project.task("once", family.code(_IGNORE_TERM + _PROGRAM + code), **_SHORT)
    _tick(project)

    [run] = project.runs()
    assert (run.status, run.reason, run.signal) == ("timed_out", "timed out after 2s", signal.SIGKILL)
    assert set(family.names()) == {"task", "child", "grandchild-of-its-own", "program"}
    assert family.survivors() == []


def test_a_stopped_task_times_out(project: Project, family: Family) -> None:
    project.task("once", family.code("note('task')\nos.kill(os.getpid(), signal.SIGSTOP)"), **_AT_ONCE)
    _tick(project)

    assert [run.status for run in project.runs()] == ["timed_out"]
    assert family.survivors() == []


def test_what_a_task_leaves_in_its_group_is_killed_at_its_end(project: Project, family: Family) -> None:
    code = "if os.fork() == 0:\n    note('child')\n    forever()\nwait_for('child')"
    project.task("once", family.code(_IGNORE_TERM + _PROGRAM + code), timeout="1h")
    _tick(project)

    assert [run.status for run in project.runs()] == ["succeeded"]
    assert set(family.names()) == {"program", "child"}
    assert family.survivors() == []


def test_a_child_that_holds_the_output_does_not_hold_the_run(project: Project, family: Family) -> None:
    # A daemon gets away here, as the module says; `family` ends it.
    project.task("once", family.code("daemon('daemon')\nprint('end')"), timeout="1h")
    _tick(project)

    assert [(run.status, project.show(run.run_id).output) for run in project.runs()] == [("succeeded", b"end\n")]


def test_a_child_that_needs_some_of_its_grace_to_end_cleanly_gets_it(project: Project, family: Family) -> None:
    code = """\
if os.fork() == 0:
    def end(*_):
        time.sleep(0.5)
        note("tidied-up")
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    note("child")
    forever()
wait_for("child")
forever()"""
    project.task("once", family.code(code), timeout="2s", kill_grace="30s")
    _tick(project)

    assert family.names() == ["child", "tidied-up"]


def test_one_run_that_times_out_does_not_disturb_another(project: Project, family: Family) -> None:
    project.task("bad", family.code(_IGNORE_TERM + "note('bad')\nforever()"), **_AT_ONCE)
    project.task("good", family.code("wait_for('bad')\nwait_for('bad-is-gone')\nprint('undisturbed')"))
    project.commit()
    with background(project, "tick", env=_PORTABLE) as tick:
        family.wait_for("bad")
        wait_until(lambda: not is_alive(family.pid("bad")), "the end of the bad task")
        family.note("bad-is-gone")
        tick.wait()

    assert {run.task: run.status for run in project.runs()} == {"bad": "timed_out", "good": "succeeded"}


def _kill_the_tick(project: Project, family: Family, code: str) -> None:
    """Kill a tick when the task has noted that it is ready; then tick again, with a harmless version of the task."""
    project.task("once", family.code(code))
    project.commit()
    with background(project, "tick", now=NOON, env=_PORTABLE) as tick:
        family.wait_for("ready")
        kill_tick(tick)
    project.task("once", "print('again')")
    project.commit()
    done = project.runner("tick", now=NOON + MINUTE, env=_PORTABLE)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_whose_tick_was_killed_is_lost_with_its_whole_group(project: Project, family: Family) -> None:
    code = "if os.fork() == 0:\n    note('child')\n    forever()\nwait_for('child')\nnote('ready')\nforever()"
    _kill_the_tick(project, family, _IGNORE_TERM + _PROGRAM + code)

    first, second = project.runs()
    assert (first.status, second.status) == ("lost", "succeeded")
    assert str(first.reason).startswith("the runner that supervised it (pid ")
    assert set(family.names()) == {"program", "child", "ready"}
    assert family.survivors() == []
    assert list((project.state / "work").iterdir()) == []


def test_a_program_that_has_outlived_its_task_is_killed_with_the_lost_run(project: Project, family: Family) -> None:
    # The tick is stopped meanwhile, so that it sees nothing of the end of the task.
    code = "os.kill(os.getppid(), signal.SIGSTOP)\nnote('ready')\nos.kill(os.getpid(), signal.SIGKILL)"
    _kill_the_tick(project, family, _PROGRAM + code)

    assert family.survivors() == []


def test_a_live_supervisor_is_never_declared_lost(project: Project, family: Family) -> None:
    _look_at_a_live_run(project, family, {})


def test_a_live_supervisor_is_not_declared_lost_from_another_time_zone(project: Project, family: Family) -> None:
    _look_at_a_live_run(project, family, {"TZ": "Asia/Tokyo"})


def _look_at_a_live_run(project: Project, family: Family, env: dict[str, str]) -> None:
    project.task("once", family.code("note('ready')\nwait_for('go')"))
    project.commit()
    with background(project, "tick", now=NOON, env=_PORTABLE) as tick:
        family.wait_for("ready")
        wait_until(lambda: [run.started_at for run in project.runs()] != [None], "the record of the start")
        project.task("once")
        project.commit()
        project.runner("tick", now=NOON + MINUTE, env=_PORTABLE | env)
        assert project.runs()[0].status == "running"
        family.note("go")
        tick.wait()

    assert project.runs()[0].status == "succeeded"


def test_term_to_a_tick_ends_its_runs_cancelled(project: Project, family: Family) -> None:
    project.write("runner.yaml", "shutdown_grace: 0s\n")
    project.task("once", family.code(_PROGRAM + "note('ready')\nforever()"))
    project.commit()
    with background(project, "tick", env=_PORTABLE) as tick:
        family.wait_for("ready")
        tick.terminate()
        tick.wait()

    assert [run.status for run in project.runs()] == ["cancelled"]
    assert family.survivors() == []
