"""Measure runner, its floors and its alternatives, and print the tables."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks import comparisons, floors, peers
from benchmarks.bench import Bench
from benchmarks.peer_environment import installed
from benchmarks.rows import COMPARED, HEADING, Absence, Comparison, Row, heading, line

_FLOORS = {
    "idle": floors.idle,
    "commits": floors.commits,
    "cold": floors.cold,
    "few": floors.few,
    "due": floors.due,
    "held": floors.held,
    "plan": floors.plan,
    "list": floors.listed,
    "beside": floors.beside,
}
_PEERS = {"peers": comparisons.compared, "contexts": comparisons.in_django}


def _machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    system, cpu = f"{platform.system()} {platform.release()}", model.partition(":")[2].strip()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores ({cpu}), {system}"


def _print(rows: Iterable[Row | Comparison | Absence]) -> None:
    for row in rows:
        print(line(row.cells()), flush=True)


def _print_floors(bench: Bench, chosen: Iterable[str]) -> None:
    print(heading(HEADING))
    for name in chosen:
        _print(_FLOORS[name](bench))
    print()


def _print_peers(bench: Bench, chosen: Iterable[str]) -> None:
    environment = installed(peers.ALL)
    print(heading(COMPARED))
    for name in chosen:
        _print(_PEERS[name](bench, environment))
    print("", *(peer.note() for peer in peers.ALL), sep="\n")


def main() -> None:
    """Measure the chosen rows and print them as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the quick rows; slow rows use fewer")
    parser.add_argument("--only", choices=[*_FLOORS, *_PEERS], action="append")
    options = parser.parse_args()
    print(f"{_machine()}\n")
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as folder:
        bench = Bench(Path(folder), options.rounds)
        chosen = options.only or [*_FLOORS, *_PEERS]
        if floors_chosen := [name for name in chosen if name in _FLOORS]:
            _print_floors(bench, floors_chosen)
        if peers_chosen := [name for name in chosen if name in _PEERS]:
            _print_peers(bench, peers_chosen)


if __name__ == "__main__":
    main()
