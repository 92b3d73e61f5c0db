"""`max_parallel` is counted over all ticks, and a dead one holds no slot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from runner.execution.owners.slots import Slots
from tests.support.processes import Family, background, family_of
from tests.support.project import Project
from tests.support.waiting import wait_until

_HOLDER = """
import sys
from runner.execution.owners.slots import Slots
slots = Slots(sys.argv[1], int(sys.argv[2]))
print(sum(slots.take() for _ in range(int(sys.argv[3]))), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    with family_of(tmp_path) as made:
        yield made


@contextmanager
def _holder(folder: Path, limit: int, wanted: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Let another process take slots; yield it and how many it got."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(folder), str(limit), str(wanted)],
        cwd=Path(__file__).parents[4],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_there_are_as_many_slots_as_the_limit_says(tmp_path: Path) -> None:
    slots = Slots(str(tmp_path / "slots"), 3)

    assert [slots.take() for _ in range(5)] == [True, True, True, False, False]


def test_a_slot_that_was_given_back_can_be_taken_again(tmp_path: Path) -> None:
    slots = Slots(str(tmp_path / "slots"), 1)
    slots.take()
    slots.release()

    assert [slots.take(), slots.take()] == [True, False]


def test_places_are_counted_over_processes(tmp_path: Path) -> None:
    mine = Slots(str(tmp_path), 3)

    with _holder(tmp_path, 3, 2) as (_, theirs):
        assert theirs == 2
        assert [mine.take(), mine.take()] == [True, False]
        mine.release()
        assert mine.take()


def test_a_killed_holder_gives_its_places_back(tmp_path: Path) -> None:
    mine = Slots(str(tmp_path), 2)

    with _holder(tmp_path, 2, 2) as (process, theirs):
        assert (theirs, mine.take()) == (2, False)
        process.kill()
        process.wait()
        assert [mine.take(), mine.take(), mine.take()] == [True, True, False]


def test_a_smaller_limit_counts_the_places_below_it(tmp_path: Path) -> None:
    with _holder(tmp_path, 4, 4):
        assert not Slots(str(tmp_path), 2).take()


def test_never_more_than_max_parallel_run_at_once_over_all_ticks(project: Project, tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    code = f"""\
import os, time
mine = os.path.join({str(running)!r}, task.id)
open(mine, "w").close()
seen = []
for _ in range(10):
    seen.append(len(os.listdir({str(running)!r})))
    time.sleep(0.01)
os.unlink(mine)
print(max(seen))"""
    project.write("runner.yaml", "max_parallel: 2\n")
    for name in "abcdef":
        project.task(name, code)
    project.commit()
    with ExitStack() as stack:
        for pair in ("ab", "cd", "ef"):
            words = [word for name in pair for word in ("--task", name)]
            stack.enter_context(background(project, "tick", *words))
        wait_until(lambda: [run.status for run in project.runs()] == ["succeeded"] * 6, "the end of all runs")

    counts = [int(project.show(run.run_id).output) for run in project.runs()]
    assert set(counts) <= {1, 2}


def test_a_tick_waits_for_the_place_of_another_and_takes_it_when_that_is_killed(
    project: Project, family: Family
) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a", family.code("note('a')\nforever()"), frequency=1, unit="weeks")
    project.task("b", family.code("note('b')"), frequency=1, unit="weeks")
    project.commit()
    with background(project, "tick", "--task", "a") as first:
        family.wait_for("a")
        with background(project, "tick", "--task", "b") as second:
            wait_until(lambda: project.runs("b"), "the claim of b")
            assert project.runs("b")[0].state_in_words() == "waiting"
            assert family.names() == ["a"]
            first.kill()
            first.wait()
            assert second.wait() == 0

    assert family.names() == ["a", "b"]
    assert [run.status for run in project.runs("b")] == ["succeeded"]


def test_what_a_tick_waits_to_start_is_left_to_the_next_one_when_it_is_ended(project: Project, family: Family) -> None:
    project.write("runner.yaml", "max_parallel: 1\n")
    project.task("a", family.code("note('a')\nwait_for('go')"), frequency=1, unit="weeks")
    project.task("b", frequency=1, unit="weeks")  # one slot: the clock is the real one, and a minute may end meanwhile
    project.commit()
    with background(project, "tick", "--task", "a") as first:
        family.wait_for("a")
        with background(project, "tick", "--task", "b") as second:
            wait_until(lambda: project.runs("b"), "the claim of b")
            wait_until(lambda: _waits_for_a_place(second.pid), "the wait")
            second.terminate()
            second.wait(timeout=100)  # while the first goes on
        family.note("go")
        first.wait()

    [run] = project.runs("b")
    assert (run.status, run.state_in_words(), run.attempts) == ("running", "waiting", 0)
    project.runner("tick")
    assert (project.runs("b")[0].run_id, project.runs("b")[0].status) == (run.run_id, "succeeded")
    assert [run.status for run in project.runs("a")] == ["succeeded"]


def _waits_for_a_place(pid: int) -> bool:
    """Return whether a tick has its handlers in place: only then it is the pool that a signal ends."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return bool(int(fields["SigCgt"], 16) >> 14 & 1)


def test_no_place_is_kept_after_the_last_run(project: Project) -> None:
    project.task("once")
    project.commit()
    project.tick()

    slots = Slots(str(project.state / "slots"), 4)
    assert [slots.take() for _ in range(4)] == [True] * 4
