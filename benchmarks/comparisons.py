"""Comparisons of runner with its peers; all rows of a group are measured in the same rounds."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from benchmarks.bench import MANY, Bench
from benchmarks.measure import Command, run, side_by_side
from benchmarks.peer_commands import (
    apscheduler,
    django,
    django_context,
    django_forks,
    django_spawns,
    in_a_file_each,
    in_one_file,
)
from benchmarks.peer_environment import PeerEnvironment, last_line, named
from benchmarks.peers import (
    APSCHEDULER,
    CRONSTABLE,
    DJANGO,
    DJANGO_FORKS,
    DJANGO_SPAWNS,
    FORKS,
    SPAWNS,
    SQLITE,
    YACRON,
    Peer,
)
from benchmarks.repositories import due_tick, first_tick, ticked
from benchmarks.rows import Absence, Comparison


@dataclass(frozen=True, slots=True)
class Pairing:
    """A row to measure. `theirs` prepares the peer's command, and is called only if the peer is installed."""

    what: str
    ours: Command
    peer: Peer
    theirs: Callable[[], Command]
    goal: float | None = None


def compared(bench: Bench, peers: PeerEnvironment) -> Iterator[Comparison | Absence]:
    """Measure runner, its alternatives and its floors, and yield the rows."""
    yield from _compare(_idle(bench, peers), peers, bench.rounds)
    yield from _compare(_hundred(bench, peers), peers, bench.few_rounds)
    yield from _compare(_thousand(bench), peers, bench.few_rounds)
    yield from _compare(_cold(bench, peers), peers, bench.few_rounds)


def in_django(bench: Bench, peers: PeerEnvironment) -> Iterator[Comparison | Absence]:
    """Measure tasks in the context of a Django project, with its start-up, and yield the rows."""
    yield from _compare(_in_django(bench, peers), peers, bench.few_rounds)


def _idle(bench: Bench, peers: PeerEnvironment) -> Iterator[Pairing]:
    for tasks in (10, 1000, MANY):
        repository = bench.many() if tasks == MANY else ticked(bench.folder / f"idle-{tasks}", tasks)
        tick, what = repository.tick(), f"{tasks:,} tasks, nothing due"
        yield Pairing(what, tick, DJANGO, partial(django, bench.folder, peers, tasks, 0))
        if tasks == MANY:
            yield Pairing(what, tick, APSCHEDULER, partial(apscheduler, bench.folder, peers, tasks, 0))
            yield Pairing(what, tick, SQLITE, partial(bench.bare, "import sqlite3"))


def _hundred(bench: Bench, peers: PeerEnvironment) -> Iterator[Pairing]:
    tick, what = due_tick(bench.folder / "hundred", MANY, 100), f"{MANY:,} tasks, 100 due"
    yield Pairing(what, tick, DJANGO, partial(django, bench.folder, peers, MANY, 100), 0.2)
    yield Pairing(what, tick, APSCHEDULER, partial(apscheduler, bench.folder, peers, MANY, 100))


def _thousand(bench: Bench) -> Iterator[Pairing]:
    tick, what = due_tick(bench.folder / "due", 1000, 1000), "1,000 tasks, all due"
    yield Pairing(what, tick, SPAWNS, partial(bench.spawns, 1000), 0.2)
    yield Pairing(what, tick, FORKS, partial(bench.script, "bare_forks.py"))


def _cold(bench: Bench, peers: PeerEnvironment) -> Iterator[Pairing]:
    tick, what = first_tick(ticked(bench.folder / "cold", 1000)), "1,000 tasks, first start"
    # Each peer uses the layout that it loads faster.
    yield Pairing(what, tick, YACRON, partial(in_a_file_each, bench.folder, peers, "yacron", 1000))
    yield Pairing(what, tick, CRONSTABLE, partial(in_one_file, bench.folder, peers, "cronstable", 1000))


def _in_django(bench: Bench, peers: PeerEnvironment) -> Iterator[Pairing]:
    if DJANGO in peers.absent:
        return
    code, settings = "assert Task.objects.filter(active=True).count() == 100", django_context(bench.folder, peers)
    tick = due_tick(bench.folder / "django", 100, 100, code=code, settings=settings)
    what = "100 tasks with a query of Django, all due"
    yield Pairing(what, tick, DJANGO, partial(django, bench.folder, peers, 100, 100, code), 2.0)
    yield Pairing(what, tick, DJANGO_SPAWNS, partial(django_spawns, bench.folder, peers, code), 1 / 12)
    yield Pairing(what, tick, DJANGO_FORKS, partial(django_forks, bench.folder, peers, code))


def _compare(pairings: Iterator[Pairing], peers: PeerEnvironment, rounds: int) -> Iterator[Comparison | Absence]:
    """Measure the commands of one group in turns and yield their rows, also if some peers cannot be measured."""
    chosen = list(pairings)
    theirs = [_command_or_reason(pairing, peers) for pairing in chosen]
    commands = {pairing.what: pairing.ours for pairing in chosen}
    commands |= {
        _key(pairing): their for pairing, their in zip(chosen, theirs, strict=True) if isinstance(their, Command)
    }
    taken = side_by_side(commands, rounds)
    for pairing, their in zip(chosen, theirs, strict=True):
        what, peer = pairing.what, named(pairing.peer)
        if isinstance(their, Command):
            yield Comparison(what, peer, taken[what], taken[_key(pairing)], pairing.goal)
        else:
            yield Absence(what, peer, their)


def _key(pairing: Pairing) -> str:
    return f"{pairing.what}, {pairing.peer.name}"


def _command_or_reason(pairing: Pairing, peers: PeerEnvironment) -> Command | str:
    """Return the peer's command, or why it cannot be measured. The command runs once, to compile its modules."""
    if pairing.peer in peers.absent:
        return f"it cannot be installed here ({peers.absent[pairing.peer]})"
    try:
        command = pairing.theirs()
        run(command)
    except subprocess.CalledProcessError as error:
        return f"it does not run here ({last_line(error.stderr)})"
    return command
