"""Repositories of tasks to measure with: real files, real commits, a real store."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command

RUNNER = str(Path(sys.executable).parent / "runner")

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
    """A repository with tasks, and its state beside it."""

    root: Path

    @property
    def state(self) -> Path:
        """Where runner remembers."""
        return self.root.parent / f"{self.root.name}-state"

    def git(self, *words: str) -> None:
        """Run git."""
        subprocess.run(
            ["git", *words], cwd=self.root, env={**os.environ, **_IDENTITY}, check=True, stdout=subprocess.DEVNULL
        )

    def commit(self) -> None:
        """Commit everything."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")

    def tick(self, **environment: str) -> Command:
        """Return the bare tick, as cron calls it."""
        return Command([RUNNER, "tick"], self.root, {"RUNNER_STATE": str(self.state), **environment})


def make(root: Path, tasks: int, *, schedule: str | None = None, code: str | None = None) -> Repository:
    """Return a repository with so many committed tasks: a mixture of schedules, none due soon, unless told otherwise."""
    repository = Repository(root)
    for number in range(tasks):
        path = root / "tasks" / f"group-{number % 20}" / f"task-{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(number, schedule, code))
    repository.git("init", "--quiet", "--initial-branch=main")
    repository.commit()
    return repository


def _text(number: int, schedule: str | None, code: str | None) -> str:
    if schedule is None:
        start = f"2026-01-{number % 28 + 1:02} {number % 24:02}:30"
        schedule = f"frequency: {number % 7 + 2}\nunit: {_UNITS[number % 4]}\nstart: {start}"
        if number % 5 == 0:
            schedule = f"cron: {number % 60} {number % 24} * * {number % 7}"
    body = _BODY.format(number=number) if code is None else f"  {code}\n"
    return (
        f"description: Task number {number} of the benchmark\nowner: team-{number % 9}@example.org\n"
        f"{schedule}\ntimezone: Europe/Berlin\nactive: true\ncode: |\n{body}"
    )


def fill_history(repository: Repository, rows: int) -> None:
    """Put so many ended runs on record."""
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
