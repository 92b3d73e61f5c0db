"""Repositories of tasks for the benchmarks, with real files, commits and stores."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.measure import Command, run

RUNNER = str(Path(sys.executable).parent / "runner")

# No task of the mixture is due in this minute: their slots are at half past an hour, or in minutes divisible by five.
_THE_MINUTE_BEFORE, _THE_MINUTE = "2026-06-10T12:00:00Z", "2026-06-10T12:01:00Z"
_UNITS = ("days", "hours", "weeks", "months")
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
_BODY = """\
  rows = [number * {number} for number in range(10)]
  total = sum(rows)
  if total < 0:
      raise ValueError("less than nothing")
  print(f"=== {{timezone.now():%d/%m/%Y}}: {{total}} ===")
"""


@dataclass(frozen=True)
class Repository:
    """A repository with tasks, and its state folder beside it."""

    root: Path

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.root.parent / f"{self.root.name}-state"

    def git(self, *words: str) -> None:
        """Run git in the repository. Raises CalledProcessError if it fails."""
        subprocess.run(
            ["git", *words], cwd=self.root, env={**os.environ, **_IDENTITY}, check=True, stdout=subprocess.DEVNULL
        )

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")

    def tick(self, **environment: str) -> Command:
        """Return the bare `tick` command that cron calls."""
        return self.command("tick", **environment)

    def command(self, *words: str, **environment: str) -> Command:
        """Return a command of runner for this repository."""
        return Command([RUNNER, *words], self.root, {"RUNNER_STATE": str(self.state), **environment})


#: The `runner.yaml` that holds no task to permissions, because no peer does that; `held` measures what it costs.
FREE = "permissions: {default: all}\n"


class Minutes:
    """Ticks of a repository with due tasks; each is a minute later than the previous one."""

    def __init__(self, repository: Repository) -> None:
        """Begin in the minute of the tick that `ticked` has run."""
        self._repository = repository
        self._now = datetime.fromisoformat(_THE_MINUTE_BEFORE)
        self._environment = {"RUNNER_STATE": str(repository.state)}

    def tick(self, before: Callable[[], None]) -> Command:
        """Return the bare `tick` command, which calls `before` before each run."""

        def prepare() -> None:
            before()
            self._now += timedelta(minutes=1)
            self._environment["RUNNER_NOW"] = self._now.isoformat()

        return Command([RUNNER, "tick"], self._repository.root, self._environment, prepare)


def ticked(root: Path, tasks: int, *, due: int = 0, code: str = "x = 1", settings: str = FREE) -> Repository:
    """Return the repository at a path, in which one tick has run. Create it if it does not exist.

    The tasks have various schedules and are not due soon, but the first `due` have one line, `code`, and run every
    minute. `settings` is the text of `runner.yaml`.
    """
    repository = Repository(root)
    if not root.exists():
        for number in range(tasks):
            path = root / "tasks" / f"group-{number % 20}" / f"task-{number}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_due_text(number, code) if number < due else _idle_text(number))
        (root / "runner.yaml").write_text(settings)
        repository.git("init", "--quiet", "--initial-branch=main")
        repository.commit()
        run(repository.tick(RUNNER_NOW=_THE_MINUTE_BEFORE) if due else repository.tick())
    return repository


def due_tick(root: Path, tasks: int, due: int, *, code: str = "x = 1", settings: str = FREE) -> Command:
    """Return a tick for which `due` of `tasks` tasks are due at each run. `ticked` has the other arguments, too."""
    repository = ticked(root, tasks, due=due, code=code, settings=settings)
    return repository.tick(RUNNER_NOW=_THE_MINUTE).restoring(repository.state)


def first_tick(repository: Repository) -> Command:
    """Return a tick that finds no state folder at each run."""
    return repository.tick().preceded_by(lambda: shutil.rmtree(repository.state, ignore_errors=True))


def _due_text(number: int, code: str) -> str:
    return _text(number, "frequency: 1\nunit: minutes", f"  {code}\n")


def _idle_text(number: int) -> str:
    start = f"2026-01-{number % 28 + 1:02} {number % 24:02}:30"
    schedule = f"frequency: {number % 7 + 2}\nunit: {_UNITS[number % 4]}\nstart: {start}"
    if number % 5 == 0:
        schedule = f"cron: {number % 60} {number % 24} * * {number % 7}"
    return _text(number, schedule, _BODY.format(number=number))


def _text(number: int, schedule: str, body: str) -> str:
    return (
        f"description: Task number {number} of the benchmark\nowner: team-{number % 9}@example.org\n"
        f"{schedule}\ntimezone: Europe/Berlin\nactive: true\ncode: |\n{body}"
    )


def fill_history(repository: Repository, rows: int) -> None:
    """Record so many ended runs."""
    with closing(sqlite3.connect(repository.state / "runner.db")) as database, database:
        database.execute(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            INSERT INTO runs (task, version, commit_id, "trigger", status, reason, scheduled_for, decided_at, started_at,
                              finished_at, attempts)
            SELECT t.key, t.version, c.commit_id, 'schedule', 'succeeded', 'due', n * 1000, n * 1000, n * 1000,
                   n * 1000 + 500, 1
            FROM numbers JOIN tasks t ON t.key = 1 + numbers.n % 10 JOIN catalog c
            """,
            (rows,),
        )
