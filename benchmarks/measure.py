"""Measure commands: time by medians of interleaved rounds, instructions by callgrind, CPU and memory by wait4."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

#: A small process that starts the measured command: ru_maxrss of a child includes the memory of its parent.
_LAUNCHER = """
import os, sys, time
begin = time.perf_counter()
pid = os.fork()
if pid == 0:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to measure. `before` is called before each run, and is not measured."""

    words: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    before: Callable[[], None] | None = None

    def full_environment(self) -> dict[str, str]:
        """Return the environment, with a fixed seed for hashes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNNER_")}
        return {**kept, "PYTHONHASHSEED": "0", **self.environment}

    def preceded_by(self, preparation: Callable[[], None]) -> Command:
        """Return the same command with a preparation before each run."""
        return replace(self, before=preparation)

    def restoring(self, folder: Path) -> Command:
        """Return the same command, which restores the present content of a folder before each run."""
        kept = folder.with_name(f"{folder.name}-kept")
        if not kept.exists():
            shutil.copytree(folder, kept)

        def restore() -> None:
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)
            # Otherwise the first command that waits for the disk would also wait for these copies.
            os.sync()

        return self.preceded_by(restore)


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds of time and of CPU, children included, and peak memory of the largest process in KiB."""

    seconds: float
    cpu: float
    peak: int


def once(command: Command) -> Sample:
    """Run a command once and return its sample. Raises CalledProcessError if it fails."""
    if command.before is not None:
        command.before()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command.words],
        cwd=command.folder,
        env=command.full_environment(),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds, cpu, peak = done.stdout.split()
    return Sample(float(seconds), float(cpu), int(peak))


def run(command: Command) -> None:
    """Run a command that is not measured. Raises CalledProcessError with its stderr if it fails."""
    subprocess.run(
        list(command.words),
        cwd=command.folder,
        env=command.full_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def side_by_side(commands: Mapping[str, Command], rounds: int) -> dict[str, Sample]:
    """Return the median sample of each command. The commands take turns, so that noise affects all of them."""
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            samples[name].append(once(command))
    return {name: _median(taken) for name, taken in samples.items()}


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.seconds for sample in samples),
        statistics.median(sample.cpu for sample in samples),
        int(statistics.median(sample.peak for sample in samples)),
    )


def instructions(command: Command) -> int | None:
    """Return the number of instructions that a command executes, or None without valgrind."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    if command.before is not None:
        command.before()
    done = subprocess.run(
        [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", *_through_python(command.words)],
        cwd=command.folder,
        env=command.full_environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    line = next(line for line in done.stderr.splitlines() if "Collected" in line or "refs" in line)
    return int(line.rpartition(":")[2].replace(",", ""))


def _through_python(words: Sequence[str]) -> list[str]:
    """Return the words with the interpreter first, because valgrind does not trace a script through its `#!` line."""
    return list(words) if Path(words[0]).name.startswith("python") else [sys.executable, *words]
