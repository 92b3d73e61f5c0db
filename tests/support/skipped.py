"""Which tests were skipped: CI runs them once more as a user who may do what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

OPTION = "--skipped-to"


class Skipped:
    """Writes the ids of the tests that were skipped into a file, one a line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ids: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the id of a test that was skipped; one that is expected to fail was not."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self._ids.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        self._file.write_text("".join(f"{name}\n" for name in self._ids), encoding="utf-8")


def add_option(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.addoption(OPTION, type=Path, metavar="FILE", help="write the ids of the tests that are skipped into a file")


def note_skipped(config: pytest.Config) -> None:
    """Write the file where it was asked for. With pytest-xdist its workers report to the process that is asked here."""
    file = config.getoption(OPTION)
    if file is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Skipped(file))
