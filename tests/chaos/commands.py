"""The commands of a storm: started, killed, and asked in the end what they had to say."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import runner
from tests.chaos import processes
from tests.support.project import RUNNER, Project

#: Far longer than any command may take: a tick waits a minute for places, and a minute for a full disk.
_PATIENCE = 150.0
_LOOK = 0.005
#: What a traceback of ours names, and one of a task does not.
_OURS = str(Path(runner.__file__).parent)
#: So much of what a command has said last is shown.
_HEARD = 1500
#: What a command may end with: fine, work failed, wrong usage. 3 is a bug, and so is anything else.
_FINE = (0, 1, 2)
_INTERRUPTED = 130


def another_container() -> tuple[str, ...]:
    """Return what a command starts with in a pid namespace of its own; nothing where that is not allowed."""
    words = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    can = os.geteuid() == 0 and shutil.which("unshare") is not None
    return words if can and subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0 else ()


@dataclass
class Command:
    """A command under way. `signals` are those that it was sent, `is_hurt` says that something below it was killed."""

    words: tuple[str, ...]
    process: subprocess.Popen[bytes]
    said: Path
    began: float
    signals: set[int] = field(default_factory=set)
    is_hurt: bool = False
    #: Whether it runs in a pid namespace of its own, and what the processes of the storm are known by.
    is_elsewhere: bool = False
    mark: str = ""
    heard: str = ""

    def send(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        self.signals.add(number)
        # What has made another pid namespace hands no signal on but KILL.
        if self.is_elsewhere and number != signal.SIGKILL and self.own_pid() != self.process.pid:
            processes.send(self.own_pid(), self.mark, number)
        else:
            self.process.send_signal(number)

    def own_pid(self) -> int:
        """Return the pid of the command itself, also where another process has made it a pid namespace of its own."""
        inside = processes.below(self.process.pid)[:1] if self.is_elsewhere else []
        return inside[0] if inside else self.process.pid

    def complaint(self) -> str | None:
        """Return what is wrong with how it ended, None where nothing is."""
        said, code = self.said.read_text(errors="replace"), self.process.returncode
        self.said.unlink()
        self.heard = said[-_HEARD:].strip()
        is_fine = code in _FINE or -code in self.signals or (code == _INTERRUPTED and signal.SIGINT in self.signals)
        if is_fine and _OURS not in said and "a bug in runner" not in said:  # a task's own traceback names its file
            return None
        hurt = ", with a child killed" if self.is_hurt else ""
        return f"`runner {' '.join(self.words)}` ended with {code}{hurt}: {self.heard or 'without a word'}"


@dataclass
class TickProcesses:
    """Starts commands on a project. `outside` is a folder that no full disk reaches."""

    project: Project
    outside: Path
    under_way: list[Command] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    started: int = 0
    #: What commands start with in another container; and the rules of zones that all commands are given.
    elsewhere: tuple[str, ...] = field(default_factory=another_container)
    zones: str = ""

    @property
    def mark(self) -> str:
        """What the processes of this storm are known by, and no others."""
        return str(self.project.root.parent)

    def start(self, now: datetime, *words: str, is_elsewhere: bool = False) -> Command:
        """Start a command at a time of ours, in this container or in one of its own."""
        prefix = self.elsewhere if is_elsewhere else ()
        self.started += 1
        said = self.outside / f"said-{self.started}"
        with said.open("wb") as file:
            process = subprocess.Popen(
                [*prefix, RUNNER, *words],
                cwd=self.project.root,
                env={**self.project.environment(now), "RUNNER_DEBUG": "1", "PYTHONTZPATH": self.zones},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        command = Command(words, process, said, time.monotonic(), is_elsewhere=bool(prefix), mark=self.mark)
        self.under_way.append(command)
        return command

    def run(self, now: datetime, *words: str) -> Command:
        """Run a command and wait for its end."""
        command = self.start(now, *words)
        self.wait(_PATIENCE, most=0)
        return command

    def kill_children(self, command: Command, dice: random.Random, share: float) -> int:
        """Kill some of what a command has below it; return how many."""
        chosen = [pid for pid in processes.below(command.own_pid()) if dice.random() < share]
        killed = sum(processes.kill(pid, self.mark) for pid in chosen)
        command.is_hurt = command.is_hurt or killed > 0
        return killed

    def stop(self, command: Command) -> list[int]:
        """Stop the processes of a command itself, tasks aside, as Ctrl-Z does; return them."""
        stopped = [
            pid for pid in (command.own_pid(), *processes.below(command.own_pid())) if processes.is_of_runner(pid)
        ]
        for pid in stopped:
            processes.send(pid, self.mark, signal.SIGSTOP)
        # Whoever finds it so may end it, once what it has is ended.
        command.signals.add(signal.SIGKILL)
        return stopped

    def go_on(self, pids: list[int], number: int) -> None:
        """Continue what was stopped, or kill it."""
        for pid in pids:
            processes.send(pid, self.mark, number)

    def wait(self, longest: float, most: int = 0) -> None:
        """Wait until at most so many commands are under way, but no longer than so many seconds."""
        give_up = time.monotonic() + longest
        while self._reap() > most and time.monotonic() < give_up:
            time.sleep(_LOOK)

    def wait_until_few(self, most: int) -> None:
        """Wait until at most so many commands are under way; one that never ends is a complaint."""
        self.wait(_PATIENCE, most)

    def _reap(self) -> int:
        for command in list(self.under_way):
            if command.process.poll() is None and time.monotonic() - command.began > _PATIENCE:
                self.complaints.append(f"`runner {' '.join(command.words)}` did not end in {_PATIENCE:.0f} s")
                command.send(signal.SIGKILL)
                command.process.wait()
            if command.process.returncode is not None:
                self.under_way.remove(command)
                self._judge(command)
        return len(self.under_way)

    def _judge(self, command: Command) -> None:
        self.codes[f"{command.words[0]} {command.process.returncode}"] += 1
        complaint = command.complaint()
        if complaint is not None:
            self.complaints.append(complaint)


def environment() -> dict[str, str]:
    """Return the environment of a storm: nobody's git configuration, and nothing of another runner."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("RUNNER_", "GIT_"))}
    outside.pop("HOME", None)
    return outside | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
