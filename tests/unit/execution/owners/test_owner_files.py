"""The file of an owner is locked for as long as it has its name, and what a killed process leaves of it goes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from runner.execution.owners import owner
from runner.execution.owners.ownership import become_owner, is_gone, path_of
from tests.support.project import MINUTE, NOON, Project


def test_no_living_owner_is_ever_taken_for_gone_while_others_tidy_up(tmp_path: Path) -> None:
    state = str(tmp_path)
    become_owner(state)
    is_over = threading.Event()

    def tidy() -> None:
        while not is_over.is_set():
            for name in owner.gone(state):
                owner.remove(path_of(state, name))

    tidying = threading.Thread(target=tidy)
    tidying.start()
    made = [become_owner(state) for _ in range(300)]
    is_over.set()
    tidying.join()

    assert [name for name, _ in made if is_gone(state, name)] == []
    for _, descriptor in made:
        os.close(descriptor)


def test_a_file_that_was_left_before_it_had_its_name_is_removed_by_the_next_tick(project: Project) -> None:
    project.task("often")
    project.commit()
    project.tick(NOON)
    left = project.state / "owners" / ".left"
    left.touch()

    project.tick(NOON + MINUTE)

    assert not left.exists()
