"""A real git repository of tasks, with the real command and the real operations."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from runner.errors import RunnerError
from runner.model.problem import Problem
from runner.model.run import Run, RunDetails
from runner.model.statuses import LOST, SKIPPED
from runner.operations.asking import run_history
from runner.operations.workspace import Workspace
from runner.store import catalogs
from runner.store.database import reading
from runner.value import replace
from tests.support.warm import can_be_warm, run_warm

#: The installed command, beside the interpreter that runs the tests.
RUNNER = str(Path(sys.executable).parent / "runner")

#: The line of `runner.yaml` that holds no task to anything.
_ALL = "permissions: {default: all}\n"

#: The default time of the tests: a Wednesday, far from any change of daylight saving time.
NOON = datetime(2026, 6, 10, 12, 0, 0, 20_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

#: With these variables `runner plan` would compare the branches of the CI job that runs the tests.
_CI_VARIABLES = {"CI", "GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"}

_AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def task_text(code: str = "print('done')", **keys: object) -> str:
    """Return a task file: active and every minute by default; a key whose value is None is left out."""
    if not {"frequency", "cron", "rrule"} & keys.keys():
        keys = {"frequency": 1, "unit": "minutes", **keys}
    keys = {"active": True, **keys}
    lines = [f"{key}: {json.dumps(value)}" for key, value in keys.items() if value is not None]
    body = [f"  {line}".rstrip() for line in code.splitlines()]
    return "\n".join((*lines, "code: |", *body)) + "\n"


@cache
def _empty_repository() -> Path:
    """Return the `.git` of an empty repository on the branch main. A copy takes a fifth of the time of `git init`."""
    folder = Path(tempfile.mkdtemp(prefix="empty-repository-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = partial(subprocess.run, cwd=folder, check=True, capture_output=True)
    done(["git", "init", "--quiet", "--initial-branch=main", "--template="])
    done(
        ["git", "config", "maintenance.auto", "false"]
    )  # otherwise each commit starts a process that checks for maintenance
    return folder / ".git"


@dataclass(frozen=True)
class Report:
    """The result of a tick according to the store; `said` is the output of the command."""

    commit: str | None
    started: tuple[Run, ...]
    skipped: tuple[Run, ...]
    lost: tuple[Run, ...]
    problems: tuple[Problem, ...]
    next_slot: tuple[str, datetime, str] | None
    said: str


@dataclass(frozen=True)
class Project:
    """A repository: `root` is a work tree with `tasks/`, and `state` is the state folder beside it."""

    root: Path
    state: Path
    held: bool = False

    @classmethod
    def create(cls, root: Path, *, held: bool = False) -> Project:
        """Create an empty repository on the branch main, and return its project.

        Its tasks may touch everything, because most tests look at what a task has written; unless they are `held`.
        """
        shutil.copytree(_empty_repository(), root / ".git")
        project = cls(root, root.parent / f"{root.name}-state", held)
        if not held:
            project.write("runner.yaml", "")
        return project

    @property
    def workspace(self) -> Workspace:
        """The workspace, which operations expect."""
        return Workspace(str(self.root), str(self.state))

    def git(self, *words: str) -> str:
        """Run git in the work tree; return its output. Raises CalledProcessError if it fails."""
        done = subprocess.run(
            ["git", *words], cwd=self.root, env={**os.environ, **_AUTHOR}, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def give_identity(self) -> None:
        """Configure an author in the repository, for commands that commit; the machine may have none."""
        self.git("config", "user.name", _AUTHOR["GIT_AUTHOR_NAME"])
        self.git("config", "user.email", _AUTHOR["GIT_AUTHOR_EMAIL"])

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file below the root, and return its path. `runner.yaml` grants everything, unless tasks are held."""
        if path == "runner.yaml" and isinstance(text, str) and not self.held and "permissions:" not in text:
            text += _ALL if not text or text.endswith("\n") else f"\n{_ALL}"
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        return target

    def task(self, task_id: str, code: str = "print('done')", **keys: object) -> Path:
        """Write the task file that `task_text` returns, and return its path."""
        return self.write(f"tasks/{task_id}.yaml", task_text(code, **keys))

    def commit(self, message: str = "change tasks") -> str:
        """Commit all files; return the id of the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self._head() or self.git("rev-parse", "HEAD")

    def _head(self) -> str | None:
        """Return the commit of HEAD, or None if its files do not name one. This saves a process for each commit."""
        folder = self.root / ".git"
        if not folder.is_dir():
            return None
        name = (folder / "HEAD").read_text().strip().removeprefix("ref: ")
        return (folder / name).read_text().strip() if (folder / name).is_file() else None

    def runner(
        self, *words: str, now: datetime | None = None, env: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run the command in the work tree, at the time `now` if given; return the completed process."""
        environment = self.environment(now) | (env or {})
        if not can_be_warm(environment):
            return self.installed(*words, now=now, env=env, timeout=timeout)
        return subprocess.CompletedProcess(words, *run_warm([*words], self.root, environment, timeout))

    def installed(
        self, *words: str, now: datetime | None = None, env: dict[str, str] | None = None, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run the installed command, for tests about the start of an interpreter; return the completed process."""
        return subprocess.run(
            [RUNNER, *words],
            cwd=self.root,
            env=self.environment(now) | (env or {}),
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def environment(self, now: datetime | None = None) -> dict[str, str]:
        """Return an environment that names the state folder of this project."""
        inherited = {name: value for name, value in os.environ.items() if name not in _CI_VARIABLES}
        inherited["RUNNER_STATE"] = str(self.state)
        return inherited if now is None else inherited | {"RUNNER_NOW": now.isoformat()}

    def json(self, *words: str, now: datetime | None = None) -> Any:
        """Run the command with --json; return its parsed output. Fails if the command prints no JSON."""
        done = self.runner(*words, "--json", now=now)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def tick(self, now: datetime = NOON, only: frozenset[str] | None = None) -> Report:
        """Run cron's `tick` command at `now`; return its result. Raises RunnerError if the command fails."""
        before = {run.run_id: run for run in self.runs()} if (self.state / "runner.db").exists() else {}
        done = self.runner("tick", *(word for task in sorted(only or ()) for word in ("--task", task)), now=now)
        if done.returncode:
            message, _, hint = done.stderr.partition("\nhint: ")
            raise RunnerError(message.removeprefix("error: "), hint.strip() or None)
        return self._report(before, done.stdout)

    def _report(self, before: dict[int, Run], said: str) -> Report:
        after = self.runs()
        new = [run for run in after if run.run_id not in before]
        known = [run for run in after if run.run_id in before]
        changed = [run for run in known if replace(run, task="") != replace(before[run.run_id], task="")]
        lost = [it for it in changed if it.status == LOST or (it.due_at and it.attempts == before[it.run_id].attempts)]
        skipped = [run for run in changed if run.status == SKIPPED]
        started = [run for run in changed if run not in [*lost, *skipped]]
        with reading(self.workspace.database) as session:
            return Report(
                catalogs.source(session).commit,
                tuple(started + [run for run in new if run.status != SKIPPED]),
                tuple(skipped + [run for run in new if run.status == SKIPPED]),
                tuple(lost),
                catalogs.problems(session),
                catalogs.next_slot(session),
                said,
            )

    def runs(self, task: str | None = None) -> list[Run]:
        """Return the recorded runs, the oldest first."""
        return list(reversed(run_history.history(self.workspace, task, None, 100_000)))

    def show(self, run_id: int) -> RunDetails:
        """Return the whole record of a run."""
        return run_history.show(self.workspace, run_id)

    def run_once(self, code: str, **keys: object) -> RunDetails:
        """Commit a task with this code, run a tick, and return the record of the run."""
        self.task("once", code, **keys)
        self.commit()
        report = self.tick()
        return self.show(report.started[0].run_id)

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection to the database of the store."""
        with closing(sqlite3.connect(self.state / "runner.db")) as connection:
            yield connection
