"""Where the measuring happens, and what several figures share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.repositories import Repository, ticked

MANY = 10_000
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder to work in, and how many rounds the quick rows take."""

    folder: Path
    rounds: int

    @property
    def few_rounds(self) -> int:
        """How many rounds the slow rows take."""
        return max(3, self.rounds // 3)

    def many(self) -> Repository:
        """Return the repository with ten thousand tasks, none due."""
        return ticked(self.folder / "many", MANY)

    def bare(self, code: str) -> Command:
        """Return a bare interpreter that runs a line."""
        return Command([sys.executable, "-c", code], self.folder, {})

    def script(self, name: str, folder: Path | None = None) -> Command:
        """Return an interpreter that runs a script of this package."""
        return Command([sys.executable, str(HERE / name)], folder or self.folder, {})
