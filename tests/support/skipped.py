"""Record which tests were skipped: CI runs them again as a user with the permissions that they need."""

from __future__ import annotations

from pathlib import Path

import pytest

OPTION = "--skipped-to"


class Skipped:
    """A pytest plug-in that writes the ids of skipped tests into a file, one in each line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ids: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the id of a skipped test, but not of an expected failure, which pytest reports as skipped, too."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._ids.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the ids into the file."""
        self._file.write_text("".join(f"{name}\n" for name in self._ids), encoding="utf-8")


def add_option(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption(OPTION, type=Path, metavar="FILE", help="write the ids of skipped tests into a file")


def note_skipped(config: pytest.Config) -> None:
    """Register the plug-in if the option is given, but not in pytest-xdist workers, which report to this process."""
    file = config.getoption(OPTION)
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skipped(file))
