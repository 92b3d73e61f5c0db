"""The ordinary story of a task, in worlds that are not as tidy as a test's."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.namespace import needs_namespace
from tests.support.processes import Family, background, family_of, is_alive
from tests.support.project import MINUTE, NOON, RUNNER, Project
from tests.support.streams import on_a_terminal
from tests.support.waiting import wait_until
from tests.support.worlds import World, hand_over, needs_strace, ordinary_user, second_pid_namespace

_HOUR = 60 * MINUTE


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


def _tell(world: World) -> None:
    """Commit a task, tick, look at what became of it, run and cancel it; all of it has to work."""
    project = world.project
    project.task("hello", "print('fine')")
    project.task("long", "import time\nprint('ready', flush=True)\ntime.sleep(600)", active=False, kill_grace="1s")
    project.commit()
    hand_over(world)

    ticked = world.runner("tick", now=NOON)
    assert (ticked.returncode, ticked.stderr) == (0, "")
    assert "succeeded" in ticked.stdout
    assert "succeeded" in world.runner("history").stdout
    assert json.loads(world.runner("show", "1", "--json").stdout)["output"] == "fine\n"
    with world.background("run", "long") as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "ready\n"
        assert json.loads(world.runner("status", "--json").stdout)["running"][0]["task"] == "long"
        cancelled = world.runner("cancel", "2")
        assert (cancelled.returncode, cancelled.stdout) == (0, "run 2 cancelled\n"), cancelled.stderr
        assert command.wait(100) == 1
    status = json.loads(world.runner("status", "--json").stdout)
    assert (status["running"], status["problems"]) == ([], [])


@needs_namespace
def test_an_ordinary_user_who_sees_only_its_own_processes_can_do_everything() -> None:
    with ordinary_user() as world:
        _tell(world)


@needs_namespace
def test_the_ordinary_user_sees_no_process_of_others_and_owns_what_it_writes() -> None:
    with ordinary_user() as world:
        world.project.task("looks", "import os\nprint(os.path.exists('/proc/1'), os.getuid())")
        world.project.commit()
        hand_over(world)

        world.runner("tick", now=NOON)

        assert json.loads(world.runner("show", "1", "--json").stdout)["output"] == "False 65534\n"
        assert {path.stat().st_uid for path in world.project.state.rglob("*")} == {65_534}


@pytest.mark.parametrize("env", [{"TERM": "xterm"}, {"TERM": "dumb"}], ids=lambda env: env["TERM"])
def test_on_an_ascii_terminal_of_80_columns_everything_fits_and_is_in_ascii(
    project: Project, env: dict[str, str]
) -> None:
    project.task("billing/a-report-with-a-long-name", "print('fünf')", description="größer und größer " * 9)
    project.task("fails", "raise ValueError('größer als ∞ ' * 9)")
    project.commit("change " * 20)
    project.tick()
    ascii_only = env | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}

    for words in (("tick",), ("list",), ("history",), ("status",), ("next",), ("show", "1"), ("why", "fails")):
        code, screen, complaints = on_a_terminal(project, *words, env=ascii_only)
        assert (code, complaints) == (0, b""), words
        lines = re.sub(rb"\x1b\[[0-9;]*m", b"", screen).decode("ascii").splitlines()
        if words[0] in {"list", "history", "next"}:  # tables; sentences go on on the next line of the terminal
            assert [line for line in lines if len(line) > 80] == []
        if env["TERM"] == "dumb":
            assert b"\x1b" not in screen, words


def _long(project: Project, family: Family) -> None:
    project.task(
        "long", family.code("note('began')\nwait_for('end')\nprint('whole')"), retry={"attempts": 3, "delay": "1s"}
    )
    project.commit()


def _let_it_end(project: Project, family: Family) -> None:
    family.note("end")
    wait_until(lambda: project.runs()[0].status != "running", "the end of the run")
    assert [(run.status, run.attempts) for run in project.runs()][:1] == [("succeeded", 1)]
    assert family.names().count("began") == 1


@needs_namespace
def test_a_tick_in_another_pid_namespace_leaves_a_living_run_alone(project: Project, family: Family) -> None:
    _long(project, family)
    with background(project, "tick"):
        family.wait_for("began")

        second_pid_namespace(project).runner("tick")

        assert is_alive(family.pid("began"))
        assert [run.status for run in project.runs()][:1] == ["running"]
        _let_it_end(project, family)


@needs_namespace
def test_a_tick_outside_leaves_a_run_of_another_pid_namespace_alone(project: Project, family: Family) -> None:
    _long(project, family)
    with second_pid_namespace(project).background("tick"):
        family.wait_for("began")

        project.runner("tick")

        assert [run.status for run in project.runs()][:1] == ["running"]
        _let_it_end(project, family)


@needs_namespace
def test_a_run_of_a_pid_namespace_that_is_gone_is_lost(project: Project, family: Family) -> None:
    _long(project, family)
    with second_pid_namespace(project).background("tick") as container:
        family.wait_for("began")
        container.kill()
        container.wait(100)
    family.note("end")

    project.runner("tick", now=NOON)

    first = project.show(1)
    assert first.attempts[0].status == "lost" or first.run.status == "lost"


def _busy(project: Project, tasks: int) -> None:
    """Commit many tasks, and tick; then commit them changed, so that every question has to compile them."""
    for number in range(tasks):
        project.task(f"task-{number}", cron="0 3 * * *")
    project.task("often")
    project.commit()
    project.tick()
    for number in range(tasks):
        project.task(f"task-{number}", f"print({number})", cron="0 4 * * *")
    project.commit()


_QUESTIONS = (("list",), ("status",), ("plan",), ("why", "often"))


@pytest.mark.parametrize("words", _QUESTIONS, ids=lambda words: words[0])
def test_a_question_never_holds_up_a_tick_however_long_it_takes(project: Project, words: tuple[str, ...]) -> None:
    _busy(project, 150)
    with background(project, *words, now=NOON + MINUTE) as question:
        if _stops_with_the_lock(project, question):
            # From here on the question takes for ever.
            done = project.runner("tick", now=NOON + MINUTE)
            question.send_signal(signal.SIGCONT)
            assert done.returncode == 0, done.stderr
        question.communicate(timeout=100)


def _stops_with_the_lock(project: Project, question: subprocess.Popen[str]) -> bool:
    """Stop a question as soon as it has the write lock; return False where it ends without ever having it."""
    with closing(sqlite3.connect(project.state / "runner.db", timeout=0, isolation_level=None)) as connection:
        while question.poll() is None:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                question.send_signal(signal.SIGSTOP)
                return True
    return False


def test_readers_beside_a_ticking_writer_fail_neither_themselves_nor_a_tick(project: Project) -> None:
    _busy(project, 10)
    is_over = threading.Event()
    failed: list[subprocess.CompletedProcess[str]] = []

    def read(*commands: tuple[str, ...]) -> None:
        while not is_over.is_set():
            done = [project.runner(*words, now=NOON + MINUTE) for words in commands]
            failed.extend(it for it in done if it.returncode)

    readers = [threading.Thread(target=read, args=commands) for commands in (_QUESTIONS[:2], _QUESTIONS[2:4])]
    for reader in readers:
        reader.start()
    ticks = [project.runner("tick", now=NOON + minute * MINUTE) for minute in range(1, 6)]
    is_over.set()
    for reader in readers:
        reader.join()

    assert [tick.stderr for tick in ticks if tick.returncode] == []
    assert failed == []
    assert [run.status for run in project.runs("often")] == ["succeeded"] * 6


@needs_strace
@pytest.mark.parametrize("words", [("tick",), ("tick", "--json"), ("run", "marks")], ids=" ".join)
def test_what_was_decided_is_on_the_disk_before_anything_of_a_run_is_executed(
    project: Project, tmp_path: Path, words: tuple[str, ...]
) -> None:
    project.task("marks", f"import os\nos.fsync(os.open({str(tmp_path / 'mark')!r}, os.O_CREAT | os.O_WRONLY))")
    project.commit()
    project.tick()
    trace = tmp_path / "trace"
    calls = "trace=fsync,fdatasync,write,pwrite64,process"
    # With somebody else in the store SQLite neither begins its log anew nor tidies it up, which both write to the disk
    # anyway.
    with project.database() as beside:
        beside.execute("PRAGMA wal_autocheckpoint = 0")
        beside.execute("UPDATE catalog SET commit_id = commit_id")
        beside.commit()
        done = subprocess.run(
            ["strace", "-f", "-y", "-e", calls, "-o", str(trace), RUNNER, *words],
            cwd=project.root,
            env=project.environment(NOON + MINUTE),
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert done.returncode == 0, done.stderr

    lines = trace.read_text(errors="replace").splitlines()
    [pid] = [line.split()[0] for line in lines if "fsync(" in line and str(tmp_path / "mark") in line]
    # What is recorded once the run's process is there may come to the disk later.
    begun = next(number for number, line in enumerate(lines) if re.search(rf"(clone3?|v?fork)\b.* = {pid}$", line))
    last = {line.split()[0]: line for line in lines[:begun] if "runner.db-wal>" in line}
    assert last, "nothing was recorded before the run began"
    # Each process that has written to the log has also asked for it to be on the disk.
    assert [line for line in last.values() if "sync(" not in line] == []


@pytest.mark.parametrize(
    ("ages", "counted"),
    [((25, 23), 1), ((24 * 7 - 1, 30), 0), ((49, 25, 24, 23, 1), 3)],
    ids=["25 h and 23 h", "a week", "the edge"],
)
def test_status_counts_the_runs_of_24_hours_and_none_before(
    project: Project, ages: tuple[int, ...], counted: int
) -> None:
    project.task("hourly", frequency=1, unit="hours")
    project.commit()
    for age in ages:
        assert project.runner("tick", now=NOON - age * _HOUR + MINUTE / 2).returncode == 0
    assert len(project.runs()) == len(ages)

    assert project.json("status", now=NOON)["last_24_hours"] == ({"succeeded": counted} if counted else {})
    said = project.runner("status", now=NOON).stdout
    assert re.search(r"last 24 h +" + (f"{counted} succeeded" if counted else "no runs"), said)
