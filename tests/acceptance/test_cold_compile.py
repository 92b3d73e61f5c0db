"""Thousands of files are compiled by several processes; whatever becomes of these, every file is compiled."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from runner.execution.owners import process_identity
from runner.execution.system import linux
from tests.support.processes import background, is_alive
from tests.support.project import NOON, Project
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core compiles in one process")

_FILES = 1_500


@pytest.fixture
def large(project: Project) -> Project:
    for number in range(_FILES):
        project.task(f"group-{number % 50}/task-{number}", f"print({number})", cron="0 0 1 1 *")
    project.commit()
    return project


def _workers(pid: int) -> list[int]:
    """Return the processes in which a command compiles: its forks that have no children, and have done some work.

    A git that is just being started looks like a fork, too, until it is git; the processor has not worked for it yet.
    """
    forks = {below: _parent(below) for below in linux.descendants(pid) if _words(below) == _words(pid)}
    return [fork for fork in forks if fork not in forks.values() and _ticks(fork) > 2]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""  # it has just ended


def _parent(pid: int) -> int:
    return int((process_identity.stat(pid) or ["", "0"])[1])


def _ticks(pid: int) -> int:
    """Return how long a process has worked, in hundredths of a second (utime and stime, proc_pid_stat(5))."""
    fields = process_identity.stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _two(found: list[int], pid: int) -> bool:
    """Keep the workers of a command in a list; return whether there are several."""
    found[:] = _workers(pid)
    return len(found) > 1


@pytest.mark.parametrize(
    ("words", "number", "which"),
    [
        pytest.param(("list", "--json"), signal.SIGKILL, slice(1), id="one, of a command"),
        pytest.param(("list", "--json"), signal.SIGSEGV, slice(None), id="all, of a command"),
        pytest.param(("tick",), signal.SIGKILL, slice(1, 2), id="one, of a tick"),
    ],
)
def test_a_worker_that_is_killed_costs_no_file_and_does_not_hold_up_the_command(
    large: Project, words: tuple[str, ...], number: signal.Signals, which: slice
) -> None:
    with background(large, *words, now=NOON) as command:
        found: list[int] = []
        wait_until(lambda: _two(found, command.pid) or command.poll() is not None, "several workers")
        killed = found[which]
        for worker in killed:
            with suppress(ProcessLookupError):  # where one of two is killed, the other one is ended by its parent
                os.kill(worker, number)
        out, err = command.communicate(timeout=100)

    assert killed, "nothing was killed while it compiled"
    assert (command.returncode, err) == (0, ""), out[-1000:]
    assert len(large.json("list", now=NOON)) == _FILES
    assert not any(map(is_alive, killed))
