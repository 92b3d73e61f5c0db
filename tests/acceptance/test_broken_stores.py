"""A database that cannot be used ends a command with a clear error, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.namespace import needs_namespace, with_mounts
from tests.support.project import MINUTE, NOON, RUNNER, Project


@pytest.fixture
def used(project: Project) -> Project:
    """A project whose task has run once."""
    project.task("hello")
    project.commit()
    project.tick()
    return project


def _database(project: Project) -> Path:
    return project.state / "runner.db"


def test_a_database_of_a_newer_version_is_left_alone(used: Project) -> None:
    with used.database() as database:
        database.execute("PRAGMA user_version = 99")

    done = used.runner("tick", now=NOON + MINUTE)

    assert done.returncode == 1
    assert "was written by a newer runner (schema 99, this one supports 3)" in done.stderr
    assert "hint: update runner, or give another state folder" in done.stderr


@pytest.mark.parametrize("content", [b"this is not a database" * 400, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_file_that_is_no_database_is_named(used: Project, content: bytes) -> None:
    for path in used.state.glob("runner.db*"):
        path.unlink()
    _database(used).write_bytes(content)

    done = used.runner("tick", now=NOON + MINUTE)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the database {_database(used)} is ")
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_page_is_reported_and_the_file_is_not_touched(used: Project) -> None:
    content = bytearray(_database(used).read_bytes())
    content[4096 : 4096 * 8] = b"\xa5" * (4096 * 7)
    _database(used).write_bytes(content)

    done = used.runner("tick", now=NOON + MINUTE)

    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert _database(used).read_bytes()[4096 : 4096 * 8] == b"\xa5" * (4096 * 7)


def test_a_locked_database_is_waited_for_and_then_named(used: Project) -> None:
    with used.database() as database:
        database.execute("BEGIN IMMEDIATE")
        done = used.runner("tick", now=NOON + MINUTE)

    assert done.returncode == 1
    assert "has been locked by another process for more than 10 s" in done.stderr
    [run] = used.tick(NOON + 2 * MINUTE).started
    assert run.missed == 1


@needs_namespace
def test_a_read_only_state_starts_nothing_and_the_next_tick_makes_up_for_it(used: Project) -> None:
    mounts = f"mount --bind {used.state} {used.state} && mount -o remount,bind,ro {used.state}"

    done = _run(used, mounts, "tick")
    looked = _run(used, mounts, "history")

    assert done.returncode == 1
    assert "cannot be written: Read-only file system" in done.stderr
    assert looked.returncode == 0, looked.stderr
    assert "succeeded" in looked.stdout
    [run] = used.tick(NOON + 2 * MINUTE).started
    assert (run.status, run.missed) == ("succeeded", 1)


@needs_namespace
def test_a_full_disk_starts_nothing_that_cannot_be_recorded(used: Project) -> None:
    copy = used.root.parent / "copy"
    mounts = (
        f"mkdir -p {copy} && cp -a {used.state}/. {copy}/ && mount -t tmpfs -o size=400k tmpfs {used.state} && "
        f"cp {copy}/runner.db {used.state}/ && dd if=/dev/zero of={used.state}/filler bs=1k 2>/dev/null || true"
    )

    done = _run(used, mounts, "tick")

    assert done.returncode == 1, done.stdout
    assert "the disk is full" in done.stderr or "cannot be" in done.stderr
    assert "Traceback" not in done.stderr
    [run] = used.tick(NOON + 2 * MINUTE).started
    assert (run.status, run.missed) == ("succeeded", 1)


def test_a_state_folder_that_cannot_be_made_is_named(project: Project) -> None:
    project.task("hello")
    project.commit()
    (project.root.parent / "file").touch()

    done = project.runner("tick", env={"RUNNER_STATE": str(project.root.parent / "file/state")})

    assert done.returncode == 1
    assert "cannot be made: Not a directory" in done.stderr


def _run(project: Project, mounts: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        with_mounts(mounts, RUNNER, *words),
        cwd=project.root,
        env=project.environment(NOON + MINUTE) | {"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
