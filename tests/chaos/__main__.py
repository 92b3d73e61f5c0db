"""`python -m tests.chaos [ROUNDS [SECONDS]]`: storms, one after another, and what is wrong after each.

CHAOS_SEED repeats one.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from runner.execution.supervising.removal import remove_folder
from tests.chaos.commands import environment
from tests.chaos.disk import enter_namespace
from tests.chaos.invariants import end_survivors, statuses, verdict
from tests.chaos.scenario import Scenario

_ROUNDS, _SECONDS = 1_000, 840.0
_MOST_AT_ONCE = 250  # rounds of one storm: what is wrong is seen soon, and seeds of both kinds have their turn


def main(words: list[str]) -> int:
    """Let it storm; return 1 as soon as anything is wrong."""
    enter_namespace(words)
    rounds = int(words[0]) if words else _ROUNDS
    seconds = float(words[1]) if len(words) > 1 else _SECONDS
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    clean = environment()
    os.environ.clear()
    os.environ.update(clean)
    storms = -(-rounds // _MOST_AT_ONCE)
    return max(_storm(seed + number, rounds // storms, seconds / storms) for number in range(storms))


def _storm(seed: int, rounds: int, seconds: float) -> int:
    """Let it storm once; print what was done and what is wrong. Return 1 where anything is."""
    _say(f"CHAOS_SEED={seed}, {rounds} rounds, at most {seconds:.0f} s")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    scenario = Scenario.over(folder, seed)
    try:
        scenario.run(rounds, seconds)
        wrong = [*scenario.commands.complaints, *end_survivors(scenario.commands.mark)]
    finally:
        for said in end_survivors(scenario.commands.mark):
            _say(said)
    wrong += verdict(scenario.disk.state, scenario.task_files.outside, scenario.before)
    _report(scenario)
    if wrong:
        _say("last events:", *scenario.events)
        _say(f"WRONG, repeat with CHAOS_SEED={seed} and {rounds} rounds, see {_keep(scenario, folder)}:", *wrong)
    scenario.disk.leave()
    if not wrong:
        remove_folder(str(folder))  # checkouts of commits are read-only
    return 1 if wrong else 0


def _report(scenario: Scenario) -> None:
    seconds = time.monotonic() - scenario.began
    disk = "a tmpfs" if scenario.disk.is_mounted else "that of /tmp, which is never filled"
    _say(
        f"{scenario.round} rounds, {scenario.commands.started} commands in {seconds:.0f} s; the disk of the state: {disk}"
    )
    for title, counts in (
        ("done", scenario.did),
        ("exit codes", scenario.commands.codes),
        ("runs", statuses(scenario.disk.state)),
    ):
        _say(f"  {title}:", *_rows(counts))


def _rows(counts: Counter[str]) -> list[str]:
    return [f"    {count:6} {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1])]


def _keep(scenario: Scenario, folder: Path) -> Path:
    """Keep what a mount of our own would take with it."""
    if scenario.disk.is_mounted:
        shutil.copytree(scenario.disk.state, folder / "state-after")
    return folder


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
