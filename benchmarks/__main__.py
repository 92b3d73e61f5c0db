"""Measure, and print a table: what, against what, the ratio, the goal."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import floors
from benchmarks.bench import Bench
from benchmarks.rows import HEADING, heading, line

_FLOORS = {"idle": floors.idle, "commits": floors.commits, "cold": floors.cold, "due": floors.due}


def _machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    system, cpu = f"{platform.system()} {platform.release()}", model.partition(":")[2].strip()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores ({cpu}), {system}"


def main() -> None:
    """Measure what was asked for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the quick rows; slow ones take fewer")
    parser.add_argument("--only", choices=[*_FLOORS], action="append")
    options = parser.parse_args()
    print(f"{_machine()}\n")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        bench = Bench(Path(folder), options.rounds)
        print(heading(HEADING))
        for name in options.only or _FLOORS:
            for row in _FLOORS[name](bench):
                print(line(row.cells()), flush=True)


if __name__ == "__main__":
    main()
