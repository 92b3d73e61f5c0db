"""Whatever happens to a tick, to its tasks, to the clock or to the disk: nothing is lost, nothing is left running."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.execution.supervising.removal import remove_folder
from tests.support.namespace import needs_namespace, with_mounts
from tests.support.processes import Family, background, family_of, kill_tick
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.waiting import wait_until

_HOUR = timedelta(hours=1)
_YEAR = timedelta(days=365)
_RETRY = {"attempts": 2, "delay": "2m"}
_IGNORE_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


@contextmanager
def _ticking(
    project: Project, family: Family, code: str, grace: str = "30s", **keys: object
) -> Iterator[subprocess.Popen[str]]:
    """Tick in the background until the task has noted that it is ready, and its start is on record."""
    project.write("runner.yaml", f"shutdown_grace: {grace}\n")
    project.task("once", family.code(code), **keys)
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("ready")
        wait_until(lambda: [run.started_at for run in project.runs()] != [None], "the record of the start")
        # A tick that is stopped with the database open keeps it locked: nobody can help that.
        wait_until(lambda: not _has_open(tick.pid, "runner.db"), "the end of the transaction")
        yield tick


def _has_open(pid: int, name: str) -> bool:
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            if name in os.readlink(f"/proc/{pid}/fd/{descriptor}"):
                return True
        except FileNotFoundError:
            continue
    return False


def _calm(project: Project, **keys: object) -> None:
    """Let the task be a harmless one from now on."""
    project.task("once", "print('again')", **keys)
    project.commit()


def test_a_task_ends_by_itself_within_the_grace_of_a_shutdown(project: Project, family: Family) -> None:
    code = "note('ready')\nwait_for('go')\nprint('to the end')"
    with _ticking(project, family, code) as tick:
        tick.terminate()
        time.sleep(0.3)  # a moment in which a wrong tick would end the task
        family.note("go")
        tick.wait()

    assert [(run.status, run.reason) for run in project.runs()] == [("succeeded", "due")]
    assert project.show(1).output == b"to the end\n"
    assert tick.returncode == 1


def test_a_task_that_fails_within_the_grace_is_tried_again_later(project: Project, family: Family) -> None:
    code = "note('ready')\nwait_for('go')\nraise SystemExit(task.attempt < 2)"
    with _ticking(project, family, code, retry=_RETRY) as tick:
        tick.terminate()
        family.note("go")
        tick.wait()
    [run] = project.runs()
    assert (run.status, run.attempts) == ("running", 1)
    project.runner("tick", now=NOON + 3 * MINUTE)

    assert (project.runs()[0].status, project.runs()[0].attempts) == ("succeeded", 2)


def test_after_the_grace_trees_are_ended_recorded_and_tried_again(project: Project, family: Family) -> None:
    code = "daemon('daemon')\nprint('so far')\nnote('ready')\nforever()"
    with _ticking(project, family, code, grace="1s", retry=_RETRY) as tick:
        tick.terminate()
        tick.wait()
    [run] = project.runs()
    [attempt] = project.show(1).attempts
    assert (run.status, run.attempts, attempt.status) == ("running", 1, "cancelled")
    assert (attempt.reason, attempt.output) == ("runner was asked to end", b"so far\n")
    assert family.survivors() == []
    family.notes.unlink()

    with background(project, "tick", now=NOON + 3 * MINUTE) as second:
        family.wait_for("ready")
        kill_tick(second)
    _calm(project)
    project.runner("tick", now=NOON + 4 * MINUTE)
    assert (project.runs()[0].status, project.runs()[0].attempts) == ("lost", 2)


def test_without_a_retry_policy_a_run_that_outlasts_the_grace_is_cancelled(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nforever()", grace="1s") as tick:
        begin = time.monotonic()
        tick.terminate()
        tick.wait()
        took = time.monotonic() - begin

    assert [(run.status, run.reason) for run in project.runs()] == [("cancelled", "runner was asked to end")]
    assert took >= 1


def test_a_second_signal_ends_the_grace(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nforever()", grace="1h", retry=_RETRY) as tick:
        tick.terminate()
        tick.send_signal(signal.SIGHUP)  # two of the same, at once, would be one
        tick.wait()

    assert project.show(1).attempts[0].status == "cancelled"
    assert project.runs()[0].status == "running"
    assert family.survivors() == []


def test_signals_without_end_do_not_keep_a_tick_from_recording(project: Project, family: Family) -> None:
    code = f"{_IGNORE_TERM}note('ready')\nforever()"
    with _ticking(project, family, code, grace="0s", kill_grace="1s") as tick:
        while tick.poll() is None:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                tick.send_signal(number)
            time.sleep(0.002)

    assert [run.status for run in project.runs()] == ["cancelled"]
    assert family.survivors() == []


def test_no_run_is_begun_after_a_signal_and_what_waited_runs_later(project: Project, family: Family) -> None:
    project.task("waits", "print('later')", concurrency_policy="allow")
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("once", family.code("note('ready')\nwait_for('go')"))
    project.commit()
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("ready")
        tick.terminate()
        family.note("go")
        tick.wait()
    assert [run.started_at for run in project.runs("waits")] == [None]
    project.runner("tick", "--task", "waits", now=NOON + timedelta(seconds=30))

    assert [(run.status, run.attempts) for run in project.runs("waits")] == [("succeeded", 1)]


def test_ctrl_c_ends_runs_at_once_and_they_are_not_tried_again(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nforever()", grace="1h", retry=_RETRY) as tick:
        tick.send_signal(signal.SIGINT)
        assert tick.wait() == 130

    assert [(run.status, run.attempts) for run in project.runs()] == [("cancelled", 1)]


def test_a_hang_up_gives_the_grace_too(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nwait_for('go')") as tick:
        tick.send_signal(signal.SIGHUP)
        family.note("go")
        tick.wait()

    assert [run.status for run in project.runs()] == ["succeeded"]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_a_signal_that_the_caller_ignores_ends_nothing(project: Project, family: Family, name: str) -> None:
    project.write("runner.yaml", "shutdown_grace: 1s\n")
    project.task("once", family.code("note('ready')\nwait_for('go')"))
    project.commit()
    launcher = (
        f"import os, signal, sys\nsignal.signal(signal.{name}, signal.SIG_IGN)\nos.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen(
        [shutil.which("python3") or "python3", "-c", launcher, RUNNER, "tick"],
        cwd=project.root,
        env=project.environment(NOON),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as tick:
        family.wait_for("ready")
        tick.send_signal(getattr(signal, name))
        time.sleep(1.5)  # beyond the grace
        family.note("go")
        tick.wait()

    assert [run.status for run in project.runs()] == ["succeeded"]


def test_a_killed_child_fails_and_is_tried_again(project: Project, family: Family) -> None:
    code = "if task.attempt < 2:\n    note('task')\n    daemon('daemon')\n    note('ready')\n    forever()"
    with _ticking(project, family, code, retry=_RETRY) as tick:
        os.kill(family.pid("task"), signal.SIGKILL)
        tick.wait()
    assert project.show(1).attempts[0].reason == "killed by signal 9 (SIGKILL)"
    assert family.survivors() == []
    project.runner("tick", now=NOON + 3 * MINUTE)

    assert (project.runs()[0].status, project.runs()[0].attempts) == ("succeeded", 2)


def test_a_killed_tick_and_child_are_one_lost_attempt_which_is_tried_again(project: Project, family: Family) -> None:
    code = "if task.attempt < 2:\n    note('task')\n    daemon('daemon')\n    note('ready')\n    forever()"
    with _ticking(project, family, code, retry=_RETRY) as tick:
        os.kill(family.pid("task"), signal.SIGKILL)
        kill_tick(tick)
    project.runner("tick", now=NOON + MINUTE)
    first = project.show(1)
    assert (first.run.status, [attempt.status for attempt in first.attempts]) in [
        ("running", ["lost"]),
        ("running", ["failed"]),
    ]
    assert family.survivors() == []
    project.runner("tick", now=NOON + 4 * MINUTE)

    assert (project.runs()[0].status, project.runs()[0].attempts) == ("succeeded", 2)


def _kill_the_last_of(ran: Path) -> None:
    """Kill the task that has noted itself last, if it goes on."""
    lines = ran.read_text().splitlines() if ran.exists() else []
    try:
        # Held by a descriptor before it is asked who it is: numbers are given away again.
        pid = int(lines[-1].split()[0])
        task = os.pidfd_open(pid)
    except (IndexError, ProcessLookupError):
        return
    try:
        if "project-state/work/" in os.readlink(f"/proc/{pid}/cwd"):
            signal.pidfd_send_signal(task, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        pass
    finally:
        os.close(task)


def test_kills_of_ticks_and_children_at_many_moments_lose_no_slot_and_run_none_twice(project: Project) -> None:
    ran = project.root.parent / "ran"
    code = (
        "import os, time\n"
        f"with open({str(ran)!r}, 'a') as file:\n"
        "    file.write(f'{os.getpid()} {task.id} {task.scheduled_for.isoformat()} {task.attempt}\\n')\n"
        "time.sleep(0.1)"
    )
    for name in ("a", "b"):
        project.task(name, code, retry={"attempts": 3, "delay": "0s"})
    project.commit()
    dice = random.Random(20261124)
    rounds = 16
    for number in range(rounds):
        with background(project, "tick", now=NOON + number * MINUTE) as tick:
            time.sleep(dice.uniform(0.05, 0.5))  # the moment is what the test is about
            if dice.random() < 0.5:
                _kill_the_last_of(ran)
            if dice.random() < 0.7:
                tick.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM]))
            tick.wait()
    for number in range(rounds, rounds + 4):
        project.runner("tick", now=NOON + number * MINUTE)

    began = [line.split(" ", 1)[1] for line in ran.read_text().splitlines()]
    assert len(began) == len(set(began)), "no attempt of a slot twice"
    runs = project.runs()
    assert {run.status for run in runs} <= {"succeeded", "failed", "lost", "cancelled", "skipped"}
    for name in ("a", "b"):
        last = max(run.scheduled_for for run in runs if run.task == name and run.scheduled_for)
        assert last == NOON.replace(microsecond=0) + (rounds + 3) * MINUTE
    with project.database() as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert list((project.state / "work").iterdir()) == []
    assert list((project.state / "owners").iterdir()) == []


@pytest.mark.parametrize("jump", [_HOUR, _YEAR])
def test_a_clock_set_forward_runs_each_task_once_for_all_that_was_missed(project: Project, jump: timedelta) -> None:
    project.task("once")
    project.commit()
    project.tick(NOON)
    project.runner("tick", now=NOON + jump)

    first, second = project.runs()
    assert (first.status, second.status) == ("succeeded", "succeeded")
    assert second.missed == min(jump // MINUTE - 1, 10_000), "beyond that nobody counts"


@pytest.mark.parametrize("jump", [_HOUR, _YEAR])
def test_a_clock_set_back_runs_no_slot_twice(project: Project, jump: timedelta) -> None:
    project.task("once")
    project.commit()
    for moment in (NOON, NOON + jump, NOON + MINUTE, NOON + 2 * MINUTE, NOON + jump + MINUTE):
        assert project.runner("tick", now=moment).returncode == 0

    slots = [run.scheduled_for for run in project.runs() if run.status == "succeeded"]
    assert len(slots) == len(set(slots))
    assert max(slot for slot in slots if slot) == NOON.replace(microsecond=0) + jump + MINUTE


def test_a_clock_that_was_a_year_ahead_does_not_stop_tasks_for_a_year(project: Project) -> None:
    project.task("once")
    project.commit()
    for moment in (NOON, NOON + _YEAR, NOON + MINUTE, NOON + 2 * MINUTE, NOON + 3 * MINUTE):
        project.runner("tick", now=moment)

    slots = [run.scheduled_for for run in project.runs() if run.status == "succeeded"]
    assert NOON.replace(microsecond=0) + 3 * MINUTE in slots


def test_a_retry_that_was_due_by_a_clock_a_year_ahead_does_not_wait_for_a_year(project: Project) -> None:
    project.task("once", "raise SystemExit(task.attempt < 2)", retry=_RETRY, cron="0 0 1 1 *", start="2026-01-01")
    project.commit()
    project.runner("tick", now=NOON)
    project.runner("tick", now=NOON + _YEAR)
    assert [run.status for run in project.runs()] == ["running"]
    project.runner("tick", now=NOON + MINUTE)
    project.runner("tick", now=NOON + 5 * MINUTE)

    assert [(run.status, run.attempts) for run in project.runs()] == [("succeeded", 2)]


def test_a_tick_that_sleeps_and_wakes_goes_on(project: Project, family: Family) -> None:
    project.task("other", "print('other')")
    code = "note('ready')\nwait_for('go')\nprint('to the end')"
    with _ticking(project, family, code) as tick:
        wait_until(lambda: project.runs("other")[0].status == "succeeded", "the end of the other task")
        wait_until(lambda: not _has_open(tick.pid, "runner.db"), "the end of the transaction")
        tick.send_signal(signal.SIGSTOP)
        for number in (1, 2):
            assert project.runner("tick", now=NOON + number * MINUTE).returncode == 0
        family.note("go")
        tick.send_signal(signal.SIGCONT)
        assert tick.wait() == 0

    assert project.runs("once")[0].status == "succeeded"
    assert [run.status for run in project.runs("other")] == ["succeeded"] * 3


def test_a_task_that_ended_in_time_while_its_tick_slept_has_not_timed_out(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nwait_for('go')\nnote('end')", timeout="5s") as tick:
        began = time.monotonic()
        tick.send_signal(signal.SIGSTOP)
        family.note("go")
        family.wait_for("end")
        wait_until(lambda: time.monotonic() > began + 5, "the time limit")
        tick.send_signal(signal.SIGCONT)
        tick.wait()

    assert [run.status for run in project.runs()] == ["succeeded"]


def _boot_anew(project: Project) -> None:
    """Make everything on record the doing of another boot."""
    with project.database() as database, database:
        database.execute(
            "UPDATE runs SET supervisor = '00000000-0000-0000-0000-000000000000' || substr(supervisor, 37)"
            " WHERE supervisor IS NOT NULL"
        )


@pytest.mark.parametrize(("retry", "status"), [(_RETRY, "running"), ({"attempts": 1}, "lost")])
def test_a_reboot_loses_what_ran_and_its_retry_policy_applies(
    project: Project, family: Family, retry: dict[str, object], status: str
) -> None:
    with _ticking(project, family, "note('ready')\nforever()", retry=retry) as tick:
        kill_tick(tick)
    _boot_anew(project)
    _calm(project)
    project.runner("tick", now=NOON + MINUTE)

    first = project.show(1)
    assert (first.run.status, first.attempts[0].status) == (status, "lost")
    assert first.attempts[0].reason == "the machine was rebooted while it ran"


def test_what_merely_waited_runs_after_a_reboot(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a", family.code("note('ready')\nforever()"), cron="0 12 * * *")
    project.task("b", "print('at last')", cron="0 12 * * *")
    project.commit()
    project.tick(NOON - MINUTE)
    with background(project, "tick", now=NOON) as tick:
        family.wait_for("ready")
        wait_until(lambda: [run.started_at for run in project.runs("a")] != [None], "the record of the start")
        kill_tick(tick)
    _boot_anew(project)
    project.runner("tick", now=NOON + MINUTE)

    assert [run.status for run in project.runs("a")] == ["lost"]
    assert [(run.status, run.attempts) for run in project.runs("b")] == [("succeeded", 1)]


def test_after_a_reboot_a_process_with_the_old_pid_is_left_alone(project: Project, family: Family) -> None:
    with _ticking(project, family, "note('ready')\nforever()") as tick:
        kill_tick(tick)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        with project.database() as database, database:
            supervisor = f"00000000-0000-0000-0000-000000000000:{stranger.pid}:1"
            database.execute("UPDATE runs SET supervisor = ? WHERE supervisor IS NOT NULL", (supervisor,))
        _calm(project)
        project.runner("tick", now=NOON + MINUTE)
        alive = stranger.poll() is None
        stranger.kill()

    assert alive
    assert [run.status for run in project.runs()] == ["lost", "succeeded"]


def _on_small_disk(
    project: Project, script: str, now: datetime = NOON + MINUTE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a shell script with the state on a small disk of its own, which is copied back afterwards."""
    copy = project.root.parent / "copy"
    remove_folder(str(copy))
    project.state.mkdir(exist_ok=True)
    shutil.copytree(project.state, copy)
    mounts = f"mount -t tmpfs -o size=2m tmpfs {project.state} && cp -a {copy}/. {project.state}/"
    back = f"status=$?; rm -f {project.state}/filler; cp -a {project.state}/. {copy}/; exit $status"
    done = subprocess.run(
        with_mounts(mounts, "sh", "-c", f"{script}\n{back}", RUNNER),
        cwd=project.root,
        env=project.environment(now) | {"PATH": os.environ["PATH"]} | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    remove_folder(str(project.state))
    shutil.copytree(copy, project.state)
    return done


def _fill(state: Path) -> str:
    """Return code that fills the disk of the state to the last byte."""
    return (
        f"import os\nfd = os.open({str(state / 'filler')!r}, os.O_WRONLY | os.O_CREAT)\n"
        "try:\n    while True:\n        os.write(fd, bytes(4096))\nexcept OSError:\n    pass\nos.close(fd)\n"
    )


@needs_namespace
def test_a_disk_that_is_full_before_a_claim_starts_nothing(project: Project) -> None:
    ran = project.root.parent / "ran"
    project.task("once", f"open({str(ran)!r}, 'a').write('ran\\n')")
    project.commit()
    project.tick(NOON - MINUTE)
    ran.unlink()
    fill = f"dd if=/dev/zero of={project.state}/filler bs=4k 2>/dev/null; "
    done = _on_small_disk(project, f'{fill} "$0" tick', NOON)

    assert done.returncode in {0, 1}
    assert "Traceback" not in done.stderr
    project.tick(NOON + MINUTE)
    began = ran.read_text().count("ran")
    assert began == len([run for run in project.runs() if run.attempts]) - 1


@needs_namespace
def test_a_disk_that_is_full_at_the_end_of_a_run_delays_its_record_until_there_is_space(project: Project) -> None:
    project.task("once", _fill(project.state) + "print('x' * 200_000)")
    project.commit()
    script = (
        f'"$0" tick & pid=$!; while ! grep -q . {project.state}/filler 2>/dev/null; do sleep 0.05; done; sleep 2.5; '
    )
    script = script.replace("grep -q .", "test -s")
    done = _on_small_disk(project, f"{script} kill -0 $pid || echo gone; rm {project.state}/filler; wait $pid", NOON)

    assert (done.returncode, done.stderr) == (0, "")
    assert "gone" not in done.stdout
    [run] = project.runs()
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert len(project.show(1).output) == 200_001


@needs_namespace
def test_a_disk_that_is_filled_while_tasks_start_keeps_every_slot_on_record(project: Project) -> None:
    ran = project.root.parent / "ran"
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a", _fill(project.state))
    for name in ("b", "c", "d"):
        project.task(name, f"open({str(ran)!r}, 'a').write(task.id + '\\n')")
    project.commit()
    script = f'"$0" tick & pid=$!; while ! test -s {project.state}/filler; do sleep 0.05; done; sleep 1.5; '
    done = _on_small_disk(project, f"{script} rm {project.state}/filler; wait $pid", NOON)
    assert "Traceback" not in done.stderr
    project.runner("tick", now=NOON + timedelta(seconds=40))

    began = ran.read_text().split() if ran.exists() else []
    assert len(began) == len(set(began))
    for name in ("b", "c", "d"):
        [run] = project.runs(name)
        assert run.status in {"succeeded", "failed"}, run
        if run.status == "failed":
            assert "No space left" in str(run.reason)
        else:
            assert name in began


@needs_namespace
def test_a_state_folder_that_turned_read_only_starts_nothing_by_hand_either(project: Project) -> None:
    ran = project.root.parent / "ran"
    project.task("once", f"open({str(ran)!r}, 'a').write('ran')")
    project.commit()
    project.tick()
    ran.unlink()
    mounts = f"mount --bind {project.state} {project.state} && mount -o remount,bind,ro {project.state}"
    done = subprocess.run(
        with_mounts(mounts, RUNNER, "run", "once"),
        cwd=project.root,
        env=project.environment(NOON) | {"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not ran.exists()
