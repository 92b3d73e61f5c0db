"""Every task reads the system and what is installed, and nothing of the repository, wherever that lies."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from runner.execution.sandbox import grants
from runner.execution.supervising.run_environment import RunEnvironment
from runner.model.job import Job
from runner.model.permissions import Permissions

_RUNNER = Path(grants.__file__).resolve().parents[2]


def _readable(repository: Path, state: Path) -> list[str]:
    declared = Permissions(is_held=True)
    job = Job(1, "x", "tasks/x.yaml", "", 1, "UTC", timedelta(1), timedelta(1), root="/checkout", permissions=declared)
    return [path for path, _ in grants.wall_of(job, RunEnvironment(str(repository), str(state), "")).paths]


def _covers(paths: list[str], path: Path) -> bool:
    return any(str(path) == it or str(path).startswith(f"{it.rstrip('/')}/") for it in paths)


def test_the_python_of_tasks_and_its_packages_can_be_read(tmp_path: Path) -> None:
    paths = _readable(tmp_path / "project", tmp_path / "state")

    for path in (Path(os.__file__).resolve(), _RUNNER / "clock.py", Path(sys.prefix).resolve(), Path("/usr/lib")):
        assert _covers(paths, path), path


@pytest.mark.parametrize("where", ["a checkout of runner", "a folder of a checkout", "a folder of the system"])
def test_a_repository_below_what_is_readable_stays_hidden(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    repository = checkout if where == "a checkout of runner" else checkout / "examples" / "ticketing"
    (repository / "state").mkdir(parents=True)
    (checkout / "beside").mkdir()
    (checkout / ".git").mkdir(exist_ok=True)
    if where == "a folder of the system":
        monkeypatch.setattr(sys, "base_prefix", str(checkout))
    else:
        monkeypatch.setattr(sys, "path", [*sys.path, str(checkout)])

    paths = _readable(repository, repository / "state")

    assert not _covers(paths, repository / "state" / "runner.db")
    assert not _covers(paths, repository / "runner.yaml")
    assert _covers(paths, checkout / "beside") == (where == "a folder of the system")
    assert _covers(paths, checkout / ".git") == (where == "a folder of the system")
    assert _covers(paths, _RUNNER / "clock.py")
