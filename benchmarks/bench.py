"""The folder and the commands that several benchmarks share."""

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
    """A folder to work in, and the number of rounds for the quick rows."""

    folder: Path
    rounds: int

    @property
    def few_rounds(self) -> int:
        """The number of rounds for the slow rows."""
        return max(3, self.rounds // 3)

    def many(self) -> Repository:
        """Return a repository with ten thousand tasks, none of which is due."""
        return ticked(self.folder / "many", MANY)

    def bare(self, code: str) -> Command:
        """Return a command that runs a line of code in a bare interpreter."""
        return Command([sys.executable, "-c", code], self.folder, {})

    def script(self, name: str, *words: str, folder: Path | None = None) -> Command:
        """Return a command that runs a script of this package."""
        return Command([sys.executable, str(HERE / name), *words], folder or self.folder, {})

    def spawns(self, count: int) -> Command:
        """Return a command that starts so many bare interpreters, two at a time."""
        return self.script("bare_spawns.py", str(count), sys.executable, "-I", "-S", "-c", "x = 1")
