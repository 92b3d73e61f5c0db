"""End the processes of an attempt that no pool supervises any more, and save its output."""

from __future__ import annotations

import os

from runner.execution.supervising import live_output
from runner.execution.supervising.output import Capture
from runner.execution.supervising.run_environment import RunEnvironment, remove_folder
from runner.execution.system import processes


def clear_up(environment: RunEnvironment, run_id: int, attempt: int, *, has_processes: bool = True) -> Capture:
    """Kill the processes of an attempt, unless they cannot be there; remove its folders, and return its output."""
    folders = environment.leftovers(run_id)
    if has_processes:
        _end_processes(environment.mark(run_id, attempt), folders)
    output = Capture()
    output.feed(live_output.left_over(environment.live_file(run_id, attempt)))
    for folder, _ in folders:
        remove_folder(folder)
    return output


def _end_processes(mark: str, folders: list[tuple[str, int]]) -> None:
    """Kill all processes of an attempt that this process can see."""
    processes.end_group(mark)
    leaders = [(leader, _modified_at(folder)) for folder, leader in folders]
    for leader, since in leaders or [(0, 0.0)]:
        processes.end_marked(mark, leader, since)


def _modified_at(folder: str) -> float:
    try:
        return os.stat(folder).st_mtime
    except OSError:
        return float("inf")
