"""`python -m tests.chaos [ROUNDS [SECONDS]]`: storms, one after another, and what is wrong after each. CHAOS_SEED repeats one."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.crew import environment
from tests.chaos.disk import enter_namespace
from tests.chaos.storm import Storm
from tests.chaos.verdict import end_survivors, statuses, verdict

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
    storm = Storm.over(folder, seed)
    try:
        storm.blow(rounds, seconds)
        wrong = [*storm.crew.complaints, *end_survivors(storm.crew.mark)]
    finally:
        for said in end_survivors(storm.crew.mark):
            _say(said)
    wrong += verdict(storm.disk.state, storm.garden.outside, storm.before)
    _report(storm)
    if wrong:
        _say("last events:", *storm.events)
        _say(f"WRONG, repeat with CHAOS_SEED={seed} and {rounds} rounds, see {_keep(storm, folder)}:", *wrong)
    storm.disk.leave()
    if not wrong:
        shutil.rmtree(folder)
    return 1 if wrong else 0


def _report(storm: Storm) -> None:
    seconds = time.monotonic() - storm.began
    disk = "a tmpfs" if storm.disk.is_mounted else "that of /tmp, which is never filled"
    _say(f"{storm.round} rounds, {storm.crew.started} commands in {seconds:.0f} s; the disk of the state: {disk}")
    for title, counts in (("done", storm.did), ("exit codes", storm.crew.codes), ("runs", statuses(storm.disk.state))):
        _say(f"  {title}:", *_rows(counts))


def _rows(counts: Counter[str]) -> list[str]:
    return [f"    {count:6} {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1])]


def _keep(storm: Storm, folder: Path) -> Path:
    """Keep what a mount of our own would take with it."""
    if storm.disk.is_mounted:
        shutil.copytree(storm.disk.state, folder / "state-after")
    return folder


def _say(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
