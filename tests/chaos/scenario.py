"""The storm: rounds of ticks, kills, changes, wrong clocks, broken disks and applications, and a calm end."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.chaos import processes
from tests.chaos.application import Application
from tests.chaos.commands import Command, TickProcesses
from tests.chaos.disk import Disk
from tests.chaos.jumping_clock import JumpingClock
from tests.chaos.task_files import TaskFiles
from tests.chaos.task_kinds import SEEN_EVERYWHERE
from tests.support import old_stores, zones
from tests.support.project import MINUTE, Project
from tests.support.waiting import wait_until

#: How often a round begins with a commit, or with trouble with the disk, which lasts for so many rounds at most.
_COMMIT, _TROUBLE, _LONGEST = 0.25, 0.06, 3
#: How often the rules of zones are swapped, and a command is started in another container; rounds that a tick is
#: stopped for.
_SWAP, _ELSEWHERE, _LONGEST_STOP = 0.08, 0.25, 4
_OLDER = 3  # of so many storms one begins with a store of an older version
#: Seconds within which something is killed, while it begins or while it runs; and for which a round waits for its
#: commands.
_DELAYS = (0.3, 0.3, 0.9)
_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)
_MOST_UNDER_WAY = 5
_QUIET = 4.0
#: Seconds within which a tick begins its first task, and how soon after that is soon.
_BEGINS, _JUST = 1.0, 0.08
_FAR = timedelta(hours=1)
_CALM = 40  # ticks within which all must have come to an end
_REMEMBERED = 60
#: Runs that last long enough to be cancelled.
_LASTS = "(definition LIKE '%sleep(0._)%' OR definition LIKE '%sleep(60)%' OR attempts > 0)"
_TOO_MANY = 20  # complaints: there is no need for more


@dataclass
class Scenario:
    """What goes on. Each round has dice of its own: what came of one does not change what the next one tries."""

    seed: int
    task_files: TaskFiles
    commands: TickProcesses
    disk: Disk
    clock: JumpingClock
    did: Counter[str] = field(default_factory=Counter)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    round: int = 0
    mend_at: int = 0
    #: What is stopped, and until which round; and the last run of the store that the storm began with.
    stopped: list[int] = field(default_factory=list)
    go_on_at: int = 0
    before: int = 0
    zones: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def over(cls, folder: Path, seed: int) -> Scenario:
        """Make the repository, the state and all that stands outside of it."""
        project = Project.create(folder / "project")
        outside = folder / "outside"
        outside.mkdir()
        clock = JumpingClock(may_go_far_back=seed % 2 == 0)
        files = TaskFiles(project, outside, Application(outside / "shop"))
        files.application.make()
        made = cls(seed, files, TickProcesses(project, outside), Disk.under(project.state), clock)
        made.zones = zones.two_sets_of_rules(outside / "zones")
        made.commands.zones = made.zones[0]
        if seed // 2 % 2 and made.commands.elsewhere:
            made.task_files.kinds = SEEN_EVERYWHERE
        else:
            made.commands.elsewhere = ()
        if seed % _OLDER == 0:
            made.begin_with_an_older_store()
        return made

    def begin_with_an_older_store(self) -> None:
        """Take over what another version has left."""
        store = random.Random(self.seed).choice(old_stores.STORES)
        old_stores.begin_with(self.task_files.project, store)
        self.clock.now = self.clock.latest = old_stores.AFTERWARDS
        with closing(sqlite3.connect(self.disk.state / "runner.db")) as database:
            [self.before] = database.execute("SELECT max(id) FROM runs").fetchone()
        self._note("older store", store.stem)

    def run(self, rounds: int, seconds: float) -> None:
        """Begin with one calm tick, and go on for so many rounds or so long; then clear up."""
        give_up = time.monotonic() + seconds
        self.task_files.begin()
        self.commands.run(self.clock.now, "tick")
        while self.round < rounds and time.monotonic() < give_up and len(self.commands.complaints) < _TOO_MANY:
            self.round += 1
            self._go_through(random.Random(f"{self.seed}/{self.round}"))
        self._calm_down()

    def unfinished(self, where: str = "true") -> list[int]:
        """Return the runs that have not ended; none where the store cannot be read just now."""
        sql = f"SELECT r.id FROM runs r JOIN versions v ON v.id = r.version WHERE status = 'running' AND {where}"  # noqa: S608
        try:
            with closing(sqlite3.connect(f"file:{self.disk.state}/runner.db?mode=ro", uri=True)) as store:
                return [run for (run,) in store.execute(f"{sql} ORDER BY r.id")]
        except sqlite3.Error:
            return []

    def _go_through(self, dice: random.Random) -> None:
        jump = self.clock.advance(self.round, dice)
        if jump is not None:
            self._jumped(jump, dice)
        if dice.random() < _COMMIT:
            self._note("commit", "; ".join(self.task_files.change(dice)))
        self._trouble(dice)
        self._swap_zones(dice)
        changed = self.task_files.application.change(dice)
        if changed is not None:
            self._note("application", changed)
        if self.round >= self.go_on_at:
            self.go_on(dice)
        [(name, way)] = dice.choices(list(_WAYS.items()), [_ODDS[name] for name in _WAYS])
        said = "".join(f" {it}" for it in way(self, dice))
        self._note(name, said)
        self.commands.wait(dice.choice(_WAITS))
        if len(self.commands.under_way) > _MOST_UNDER_WAY:
            self.go_on(dice)  # others wait for its slots
        self.commands.wait_until_few(_MOST_UNDER_WAY)

    def _jumped(self, jump: timedelta, dice: random.Random) -> None:
        self._note("jump back" if jump < timedelta(0) else "jump ahead", str(jump))
        if jump > _FAR and not self.clock.may_go_far_back:
            self.go_on(dice)  # a tick that is stopped does not end
            # Who decides by the time before it after somebody who does by the time after it has gone far back, too.
            self.commands.wait_until_few(0)

    def _trouble(self, dice: random.Random) -> None:
        if not self.disk.is_well and self.round >= self.mend_at:
            self.disk.mend()
            self._note("disk mended")
        elif self.disk.is_well and dice.random() < _TROUBLE:
            self.mend_at = self.round + dice.randint(1, _LONGEST)
            said = self.disk.fill(dice) if dice.random() < 0.6 else self._protect()
            if said is not None:
                self._note(said.partition(":")[0], said)

    def _swap_zones(self, dice: random.Random) -> None:
        if dice.random() < _SWAP:
            self.commands.zones = dice.choice(self.zones)
            self._note("zone rules", Path(self.commands.zones.partition(":")[0]).name)

    def stop(self, command: Command, rounds: int) -> None:
        """Stop a command for so many rounds, unless another one is stopped already."""
        if not self.stopped:
            self.stopped, self.go_on_at = self.commands.stop(command), self.round + rounds

    def go_on(self, dice: random.Random) -> None:
        """Continue what is stopped, or kill it."""
        if self.stopped:
            number = dice.choice((signal.SIGCONT, signal.SIGCONT, signal.SIGKILL))
            self.commands.go_on(self.stopped, number)
            self._note("stopped tick goes on" if number == signal.SIGCONT else "stopped tick killed")
            self.stopped = []

    def _protect(self) -> str | None:
        self.commands.wait(_QUIET)  # while somebody writes, the kernel refuses
        return self.disk.protect()

    def _calm_down(self) -> None:
        self.disk.mend()
        self.task_files.application.repair()
        self.go_on(random.Random(self.seed))
        self.commands.wait(_QUIET)
        for command in self.commands.under_way:
            command.send(signal.SIGTERM)  # a tick stays up to a minute for retries that come due in its own
        self.commands.wait_until_few(0)
        # Who decides for a tick that was killed goes on: on a busy machine for longer than a tick waits for the
        # database.
        wait_until(lambda: not processes.holders(self.commands.mark, "runner.db"), "the end of those who decide")
        self.task_files.clear()
        self.clock.now = (self.clock.latest + 10 * MINUTE).replace(second=0)
        for number in range(_CALM):
            tick = self.commands.run(self.clock.now, "tick")
            code = tick.process.returncode
            self._note("calm tick", f"exit code {code}")
            if code:
                self.commands.complaints.append(f"a calm tick ended with {code}: {tick.heard}")
            if number > 1 and not self.unfinished():
                return
            self.clock.now += 2 * MINUTE

    def _note(self, name: str, more: str = "") -> None:
        self.did[name] += 1
        self.events.append(
            f"{self.round:5} {time.monotonic() - self.began:6.1f} s  {self.clock.now:%Y-%m-%d %H:%M:%S}  {name}: {more}"
        )

    def witnessed(self) -> int:
        """Return how much the witness has seen."""
        witness = self.task_files.outside / "witness"
        return witness.stat().st_size if witness.exists() else 0

    def tick(self, dice: random.Random) -> Command:
        """Tick at the present moment, now and then in another container."""
        return self.commands.start(self.clock.now, "tick", is_elsewhere=dice.random() < _ELSEWHERE)


def _tick(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    yield scenario.tick(dice).process.pid


def _tick_stopped(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    tick = scenario.tick(dice)
    yield _when(scenario, dice)
    rounds = dice.randint(1, _LONGEST_STOP)
    scenario.stop(tick, rounds)
    yield f"for {rounds} rounds"


def _ticks_at_once(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    for _ in range(dice.choice((2, 2, 3))):
        yield scenario.tick(dice).process.pid


def _tick_signalled(number: int) -> Callable[[Scenario, random.Random], Iterator[object]]:
    def way(scenario: Scenario, dice: random.Random) -> Iterator[object]:
        tick = scenario.tick(dice)
        yield _when(scenario, dice)
        tick.send(number)
        if dice.random() < 0.2:  # an impatient one
            tick.send(number)

    return way


def _children_killed(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    tick = scenario.tick(dice)
    for _ in range(dice.choice((1, 3, 5))):
        yield _when(scenario, dice)
        yield scenario.commands.kill_children(tick, dice, 0.5)


def _all_killed(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    tick = scenario.tick(dice)
    yield _when(scenario, dice)
    if dice.random() < 0.5:
        tick.send(signal.SIGSTOP)  # so that its children are gone and nobody has noticed
        yield scenario.commands.kill_children(tick, dice, 0.8)
        tick.send(signal.SIGKILL)
    else:
        tick.send(signal.SIGKILL)


def _all_under_way_killed(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    scenario.tick(dice)
    yield _when(scenario, dice)
    for command in scenario.commands.under_way:
        yield " ".join(command.words)
        command.send(signal.SIGKILL)


def _run_by_hand(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    name = scenario.task_files.any_name(dice)
    yield name
    command = scenario.commands.start(scenario.clock.now, "run", name, is_elsewhere=dice.random() < _ELSEWHERE)
    if dice.random() < 0.4:
        scenario.tick(dice)
    if dice.random() < 0.3:
        yield _after(dice)
        command.send(dice.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))


def _cancel(scenario: Scenario, dice: random.Random) -> Iterator[object]:
    scenario.tick(dice)
    yield _after(dice)
    unfinished = scenario.unfinished(_LASTS)
    if unfinished:
        run_id = dice.choice(unfinished)
        yield run_id
        scenario.commands.start(scenario.clock.now, "cancel", str(run_id), is_elsewhere=dice.random() < _ELSEWHERE)


def _when(scenario: Scenario, dice: random.Random) -> str:
    """Wait for a moment to strike: any, or one soon after a task's code has begun, when most is at stake."""
    if dice.random() < 0.5:
        return _after(dice)
    witnessed = scenario.witnessed()
    give_up = time.monotonic() + _BEGINS
    while scenario.witnessed() == witnessed and time.monotonic() < give_up:
        time.sleep(0.001)
    delay = dice.uniform(0.0, _JUST)
    time.sleep(delay)
    return f"{delay * 1000:.0f} ms after a task has begun"


def _after(dice: random.Random) -> str:
    """Let some time pass: the moment is what the storm is about, not something to wait for."""
    delay = dice.uniform(0.0, dice.choice(_DELAYS))
    time.sleep(delay)
    return f"after {delay * 1000:.0f} ms"


_WAYS: dict[str, Callable[[Scenario, random.Random], Iterator[object]]] = {
    "tick": _tick,
    "ticks at once": _ticks_at_once,
    "tick killed": _tick_signalled(signal.SIGKILL),
    "tick terminated": _tick_signalled(signal.SIGTERM),
    "tick interrupted": _tick_signalled(signal.SIGINT),
    "children killed": _children_killed,
    "tick and children killed": _all_killed,
    "all under way killed": _all_under_way_killed,
    "tick stopped": _tick_stopped,
    "run by hand": _run_by_hand,
    "cancel": _cancel,
}
_ODDS = dict(zip(_WAYS, (24, 12, 18, 7, 3, 10, 8, 4, 8, 7, 7), strict=True))
