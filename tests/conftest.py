"""Fixtures for all tests.

The dangerous defaults are impossible: no home, no git configuration, no store that nobody chose.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.order import long_ones_first
from tests.support.project import Project
from tests.support.skipped import add_option, note_skipped

# A shell that starts the tests in the background, or nohup(1), lets them ignore signals, and so all that they start:
# commands are right to go on ignoring those. Here they are to hear them; what is handled, and not ignored, exec(3)
# gives back its default.
for _number in (signal.SIGHUP, signal.SIGINT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)

# Most of what tests take is the start of commands, which takes twice as long where each of them compiles what it
# imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# CI machines pause for seconds: a property is about values, never about time.
settings.register_profile("runner", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("runner")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of these tests."""
    add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Do what these options ask for."""
    note_skipped(config)


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
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Project:
    """A git repository of tasks without any, and a place for its state."""
    return Project.create(tmp_path / "project", held=request.node.get_closest_marker("held") is not None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long tests, so that none of them is what the others have to be waited for."""
    worker: dict[str, int] = getattr(config, "workerinput", {})
    items[:] = long_ones_first(items, worker.get("workercount", 1))
