"""Batches are computed in several processes; whichever of these is killed, and when, every batch has its result."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from runner.operations.ticking.workers import in_parallel
from tests.support.processes import is_alive
from tests.support.waiting import wait_until

#: More than any pipe holds, so that a process stands in the middle of writing its result until that is read.
_LARGE = 8 << 20


def _doubled(batch: int) -> tuple[int, bytes]:
    return 2 * batch, bytes(_LARGE)


def _is_asleep(pid: int | None) -> bool:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


@pytest.mark.parametrize("killed", [slice(0, 1), slice(1, 2), slice(None)], ids=["the first", "the second", "all"])
def test_a_process_that_is_killed_in_the_middle_of_writing_its_result_costs_no_batch(killed: slice) -> None:
    found = in_parallel(_doubled, range(7), 2)
    results = [next(found)[0]]
    workers = multiprocessing.active_children()
    wait_until(lambda: all(_is_asleep(worker.pid) for worker in workers), "all write, or wait for a batch")

    for worker in workers[killed]:
        os.kill(worker.pid or 0, signal.SIGKILL)
    results += [number for number, _ in found]

    assert sorted(results) == [0, 2, 4, 6, 8, 10, 12]
    assert not any(is_alive(worker.pid or 0) for worker in workers)


def test_an_error_of_the_caller_ends_all_processes() -> None:
    found = in_parallel(_doubled, range(7), 3)
    next(found)
    workers = multiprocessing.active_children()

    found.close()  # type: ignore[attr-defined] # it is a generator

    assert len(workers) == 3
    assert not any(is_alive(worker.pid or 0) for worker in workers)
