"""Fixtures for all tests. The dangerous defaults are impossible: no home, no git configuration, no store that nobody chose."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.project import Project

# CI machines pause for seconds: a property is about values, never about time.
settings.register_profile("runner", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("runner")


@pytest.fixture(autouse=True)
def _no_dangerous_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("RUNNER_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # Below a file there is no folder: a test that does not choose a store gets an error.
    choose = tmp_path / "choose-a-state"
    choose.touch()
    monkeypatch.setenv("RUNNER_STATE", str(choose / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A git repository of tasks without any, and a place for its state."""
    return Project.create(tmp_path / "project")
