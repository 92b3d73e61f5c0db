"""Measure, and print a table: what, against what, the ratio, the goal."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, instructions, side_by_side
from benchmarks.repositories import Repository, fill_history, make

_MANY = 10_000
_MIB = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `goal` is the largest ratio (or MiB) that DESIGN §10 allows."""

    what: str
    against: str
    measured: float
    goal: float
    unit: str = "×"  # noqa: RUF001 - the sign of ratios

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        verdict = "reached" if self.measured <= self.goal else "MISSED"
        return (self.what, self.against, f"{self.measured:.2f} {self.unit}", f"≤ {self.goal:g} {self.unit}", verdict)


@dataclass(frozen=True, slots=True)
class Bench:
    """Where to work, and how many rounds."""

    folder: Path
    rounds: int

    def python(self, code: str, *flags: str) -> Command:
        """Return a bare interpreter that runs a line."""
        return Command([sys.executable, *flags, "-c", code], self.folder, {})

    def idle(self) -> Iterator[Row]:
        """Measure an idle tick: against its floor, with more tasks, with more history."""
        few, many = make(self.folder / "few", 10), make(self.folder / "many", _MANY)
        old = make(self.folder / "old", 10)
        for repository in (few, many, old):
            _run(repository.tick())
        fill_history(old, 1_000_000)
        floor = self.python("import sqlite3")
        commands = {"floor": floor, "few": few.tick(), "many": many.tick(), "old": old.tick()}
        taken = side_by_side(commands, self.rounds * 4)
        counted = {name: instructions(command) for name, command in commands.items()}
        what, against = f"idle tick, {_MANY:,} tasks", "python -c 'import sqlite3'"
        yield Row(what + ", time", against, taken["many"].seconds / taken["floor"].seconds, 1.25)
        yield from _counted(what, against, counted["many"], counted["floor"], 1.15)
        yield Row(what + ", time", "the same, 10 tasks", taken["many"].seconds / taken["few"].seconds, 1.15)
        yield from _counted(what, "the same, 10 tasks", counted["many"], counted["few"], 1.05)
        what, against = "idle tick, a million runs on record", "the same, none on record"
        yield Row(what + ", time", against, taken["old"].seconds / taken["few"].seconds, 1.15)
        yield from _counted(what, against, counted["old"], counted["few"], 1.05)
        yield Row(
            "idle tick, peak memory", "python -c 'import sqlite3'", taken["many"].peak / taken["floor"].peak, 1.25
        )

    def commits(self) -> Iterator[Row]:
        """Measure a tick after a commit that changed one task, and after one that changed none."""
        repository = Repository(self.folder / "many")
        changed, untouched = _Edits(repository, "tasks/group-3/task-3.yaml"), _Edits(repository, "README")
        heavy = self.python("import sqlite3, yaml, jsonschema, subprocess")
        light = self.python("import sqlite3")
        taken = side_by_side(
            {
                "heavy": heavy,
                "changed": _before(repository.tick(), changed.commit_another),
                "light": light,
                "untouched": _before(repository.tick(), untouched.commit_another),
            },
            self.rounds * 2,
        )
        yield Row(
            f"tick after a commit that changed one file of {_MANY:,}, time",
            "python -c 'import sqlite3, yaml, jsonschema, subprocess'",
            taken["changed"].seconds / taken["heavy"].seconds,
            1.35,
        )
        yield Row(
            "tick after a commit that touched no task, time",
            "python -c 'import sqlite3'",
            taken["untouched"].seconds / taken["light"].seconds,
            2.75,
        )

    def cold(self) -> Iterator[Row]:
        """Measure the first tick in a repository: everything is compiled."""
        repository = Repository(self.folder / "many")
        loop = Command([sys.executable, str(Path(__file__).parent / "bare_loop.py")], repository.root, {})
        cold = _before(repository.tick(), lambda: shutil.rmtree(repository.state, ignore_errors=True))
        taken = side_by_side({"loop": loop, "cold": cold}, max(3, self.rounds // 3))
        against = "git cat-file --batch and CSafeLoader, nothing else"
        yield Row(f"cold compile of {_MANY:,} files, time", against, taken["cold"].seconds / taken["loop"].seconds, 2.0)
        yield Row("cold compile, peak memory", "", taken["cold"].peak / _MIB, 80, "MiB")

    def due(self) -> Iterator[Row]:
        """Measure a whole tick with a thousand due one-line tasks, each isolated, captured and recorded."""
        repository = make(self.folder / "due", 1000, schedule="frequency: 1\nunit: minutes", code="x = 1")
        _run(repository.tick(RUNNER_NOW="2026-06-10T12:00:00Z"))
        minutes = iter(range(1, 1000))
        forks = Command([sys.executable, str(Path(__file__).parent / "bare_forks.py")], self.folder, {})
        taken = side_by_side({"forks": forks, "due": _each_minute(repository, minutes)}, max(3, self.rounds // 3))
        what, against = "tick with 1,000 due one-line tasks", "fork + _exit + wait, 1,000 times"
        yield Row(what + ", time", against, taken["due"].seconds / taken["forks"].seconds, 1.5)
        yield Row(what + ", CPU", against, taken["due"].cpu / taken["forks"].cpu, 2.0)
        yield Row(what + ", peak memory", "", taken["due"].peak / _MIB, 16, "MiB")


class _Edits:
    """Commits an edit of one file, another one each time."""

    def __init__(self, repository: Repository, path: str) -> None:
        self._repository = repository
        self._path = path

    def commit_another(self) -> None:
        with (self._repository.root / self._path).open("a") as file:
            file.write("# edited\n")
        self._repository.commit()


def _each_minute(repository: Repository, minutes: Iterator[int]) -> Command:
    """Return a tick for which everything is due every time: the store is set back before it, unmeasured."""
    base = repository.tick(RUNNER_NOW="2026-06-10T12:01:00Z")
    kept = repository.root.parent / "due-kept"
    shutil.copytree(repository.state, kept)

    def set_back() -> None:
        next(minutes)
        shutil.rmtree(repository.state)
        shutil.copytree(kept, repository.state)

    return _before(base, set_back)


def _before(command: Command, prepare: Callable[[], None]) -> Command:
    return Command(command.words, command.folder, command.environment, prepare)


def _counted(what: str, against: str, ours: int | None, floor: int | None, goal: float) -> Iterator[Row]:
    if ours is not None and floor is not None:
        yield Row(what + ", instructions", against, ours / floor, goal)


def _run(command: Command) -> None:
    subprocess.run(
        list(command.words), cwd=command.folder, env=command.full_environment(), check=True, stdout=subprocess.DEVNULL
    )


def _machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    system, cpu = f"{platform.system()} {platform.release()}", model.partition(":")[2].strip()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores ({cpu}), {system}"


def main() -> None:
    """Measure everything and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the quick rows; slow ones take fewer")
    parser.add_argument("--only", choices=["idle", "commits", "cold", "due"], action="append")
    options = parser.parse_args()
    print(f"{_machine()}\n")
    print("| what | against | measured | goal | |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        bench = Bench(Path(folder), options.rounds)
        chosen = options.only or ["idle", "commits", "cold", "due"]
        if "idle" not in chosen and {"commits", "cold"} & set(chosen):
            _run(make(bench.folder / "many", _MANY).tick())
        for name in chosen:
            for row in getattr(bench, name)():
                print(f"| {' | '.join(row.cells())} |", flush=True)


if __name__ == "__main__":
    main()
