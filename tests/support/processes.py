"""Processes in tests: whether they are alive, which one started which, and commands in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.model.run import RunDetails
from tests.support.project import RUNNER, Project
from tests.support.waiting import wait_until

_PREAMBLE = """\
import os, signal, sys, time
def note(name, pid=None):
    with open({notes!r}, "a") as file:
        file.write(f"{{pid or os.getpid()}} {{name}}\\n")
def wait_for(name):
    give_up = time.monotonic() + 100
    while time.monotonic() < give_up:
        try:
            with open({notes!r}) as file:
                if any(line.split()[1:] == [name] for line in file):
                    return
        except FileNotFoundError:
            pass
        time.sleep(0.005)
    raise TimeoutError(name)
def forever():
    give_up = time.monotonic() + 200
    while time.monotonic() < give_up:
        time.sleep(1)
def daemon(name, keep=True):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            if not keep:
                os.closerange(0, 1024)
            note(name)
            forever()
        os._exit(0)
    wait_for(name)
"""


def state_of(pid: int) -> str | None:
    """Return the state letter of a process (proc_pid_stat(5)), or None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    return state_of(pid) not in {None, "Z", "X"}


@dataclass(frozen=True)
class Family:
    """The processes of tasks with the code of `code()`: each writes its pid and a name into the file `notes`.

    The code may call `note(name, pid)`, `wait_for(name)`, `forever()` and `daemon(name)`.
    """

    notes: Path

    def code(self, code: str) -> str:
        """Return the code after the definitions of these functions."""
        return _PREAMBLE.format(notes=str(self.notes)) + code

    def names(self) -> list[str]:
        """Return the noted names, in order."""
        return [name for _, name in self._lines()]

    def pid(self, name: str) -> int:
        """Return the last pid that was noted with a name."""
        return [pid for pid, noted in self._lines() if noted == name][-1]

    def wait_for(self, *names: str) -> None:
        """Wait until all the names have been noted."""
        wait_until(lambda: set(names) <= set(self.names()), f"note of {names}")

    def note(self, name: str) -> None:
        """Note a name from the test, for tasks that wait for it."""
        with self.notes.open("a") as file:
            file.write(f"0 {name}\n")

    def survivors(self) -> list[str]:
        """Return the names of the processes that are still alive."""
        return [name for pid, name in self._lines() if pid and is_alive(pid)]

    def end(self) -> None:
        """Kill all noted processes that are still alive."""
        for pid, _ in self._lines():
            if pid and is_alive(pid):
                os.kill(pid, signal.SIGKILL)

    def _lines(self) -> list[tuple[int, str]]:
        if not self.notes.exists():
            return []
        rows = [line.split() for line in self.notes.read_text().splitlines()]
        return [(int(row[0]), row[1]) for row in rows if len(row) == 2]


@contextmanager
def family_of(folder: Path) -> Iterator[Family]:
    """Yield a family, and kill its remaining processes at the end."""
    made = Family(folder / "pids")
    try:
        yield made
    finally:
        made.end()


def run_each(project: Project, codes: list[str]) -> list[RunDetails]:
    """Run each code as a separate task, all in one tick; return the records of the runs in the same order."""
    names = [f"task-{number}" for number in range(len(codes))]
    for name, code in zip(names, codes, strict=True):
        project.task(name, code)
    project.commit()
    started = {run.task: run.run_id for run in project.tick().started}
    return [project.show(started[name]) for name in names]


def processes_of(tick: subprocess.Popen[str]) -> list[int]:
    """Return the pids of the launcher and the decider of a tick, without its tasks."""
    found = [tick.pid]
    session = str(os.getsid(tick.pid))
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        # Tasks, and processes that they leave behind, are in other sessions.
        if fields[1] == str(tick.pid) and fields[3] == session:
            found.append(int(stat.parent.name))
    return found


def kill_tick(tick: subprocess.Popen[str]) -> None:
    """Kill the launcher of a tick, and return when the decider has ended, too.

    Until then the decider holds the lock of the owner. In production the next tick runs a minute later.
    """
    pids = processes_of(tick)
    tick.kill()
    tick.wait()
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "the end of both processes of a tick")


def signal_tick(tick: subprocess.Popen[str], number: int) -> None:
    """Send a signal to the launcher and the decider of a tick, as when a container is frozen."""
    for pid in processes_of(tick):
        with suppress(ProcessLookupError):  # the process may just have ended
            os.kill(pid, number)


@contextmanager
def background(
    project: Project, *words: str, now: datetime | None = None, env: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run the installed command in the background, and yield its process. Kill it at the end if it has not ended."""
    with subprocess.Popen(
        [RUNNER, *words],
        cwd=project.root,
        env=project.environment(now) | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                signal_tick(process, signal.SIGCONT)
                process.kill()


def runner_after(project: Project, prelude: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command after a prelude in the same process, whose effects exec keeps; return the result."""
    launcher = f"import os, signal, sys\n{prelude}\nos.execv(sys.argv[1], sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", launcher, RUNNER, *words],
        cwd=project.root,
        env=project.environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def peak_memory(pid: int) -> int:
    """Return the most memory that a process has used, in KiB; nothing where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return max((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), default=0)
    except (FileNotFoundError, ProcessLookupError):
        return 0
