"""The Django project of `examples/ticketing` with its tasks, on SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support import databases
from tests.support.django import VERSIONS, python_with
from tests.support.project import Project

_EXAMPLE = Path(__file__).parents[2] / "examples" / "ticketing"
_TASKS = [str(path.relative_to(_EXAMPLE / "tasks").with_suffix("")) for path in (_EXAMPLE / "tasks").rglob("*.yaml")]


@pytest.fixture(scope="module", params=databases.KINDS)
def create_database(request: pytest.FixtureRequest) -> Iterator[databases.Creator]:
    with databases.server(request.param) as creator:
        yield creator


@dataclass
class _Example:
    """A copy of the example in a repository of its own; the database has the sample data."""

    project: Project
    python: Path
    variables: dict[str, str]

    @classmethod
    def create(cls, project: Project, version: str, variables: dict[str, str]) -> _Example:
        ignored = shutil.ignore_patterns(".venv", ".env", "db.sqlite3", "state", "__pycache__")
        shutil.copytree(_EXAMPLE, project.root, ignore=ignored, dirs_exist_ok=True)
        databases.add_driver(project.root / "app")
        settings = (project.root / "runner.yaml").read_text()
        settings = settings.replace("app/data", variables.get("DB_HOST", "app/data"))
        if os.geteuid() == 0 and variables:  # the folder of the server's socket is not for others
            settings += "permissions: {default: all}\n"
        project.write("runner.yaml", settings.replace("app/.venv/bin/python", str(python_with(version))))
        lines = [*(project.root / "app" / ".env.example").read_text().splitlines(), *map("=".join, variables.items())]
        project.write("app/.env", "\n".join(lines))
        project.write(".gitignore", ".env\n*.sqlite3\n__pycache__/\n")
        project.commit()
        example = cls(project, python_with(version), variables)
        example.manage("migrate", "-v0")
        example.manage("load_sample")
        return example

    def manage(self, *words: str) -> str:
        """Run `manage.py`, and return its output."""
        done = subprocess.run(
            [self.python, "manage.py", *words],
            cwd=self.project.root / "app",
            env={**os.environ, **self.variables},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def count(self, model: str, **conditions: object) -> int:
        """Return how many rows of a model there are."""
        module = "django.contrib.auth.models" if model == "User" else "tickets.models"
        code = f"from {module} import {model}\nprint({model}.objects.filter(**{conditions!r}).count())"
        return int(self.manage("shell", "-v0", "-c", code))

    def tick(self) -> dict[str, dict[str, Any]]:
        """Run what is due, and return the whole records of the runs."""
        done = self.project.runner("tick", "--json")
        assert done.returncode == 0, done.stderr
        return {
            run["task"]: self.project.json("show", str(run["run_id"])) for run in json.loads(done.stdout)["started"]
        }


def _dates() -> str:
    return datetime.now(UTC).strftime("%d/%m/%Y")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_task_of_the_example_does_its_work_on_each_database(
    project: Project, create_database: databases.Creator, version: str
) -> None:
    example = _Example.create(project, version, create_database(f"ticketing_{version.replace('.', '_')}"))
    dates = [_dates()]

    runs = example.tick()

    dates.append(_dates())
    assert {task: run["status"] for task, run in runs.items()} == dict.fromkeys(_TASKS, "succeeded"), [
        run["output"] for run in runs.values()
    ]
    # At midnight nobody has joined yet.
    assert runs["reports/daily-users"]["output"] in [
        f"=== Daily report {date} ===\nUsers: 4\nActive users: 3\nNew users today: {new}\n"
        for date, new in ((dates[0], 1), (dates[1], 1 if dates[0] == dates[1] else 0))
    ]
    assert runs["tickets/close-stale"]["output"] == "closed #2 Invoice is wrong\nINFO: 3 tickets are open\n"
    assert example.count("Ticket", status="closed") == 2
    assert "Kim Lee <kim@mail.example>: no company\n" in runs["contacts/without-company"]["output"]
    assert "Tom Hart <tom@initech.example>: Initech\n" in runs["contacts/without-company"]["output"]
    [summary] = project.state.glob("**/*.csv")
    assert "Initech,1," in summary.read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_clean_up_of_the_example_is_rehearsed_on_each_database_and_deletes_nothing(
    project: Project, create_database: databases.Creator, version: str
) -> None:
    example = _Example.create(project, version, create_database(f"clean_up_{version.replace('.', '_')}"))

    rollback = example.tick()["contacts/delete-unused"]["rollback"]

    assert {row["model"]: row["deleted"] for row in rollback["changes"]} == {"tickets.Ticket": 1, "tickets.Contact": 1}
    assert rollback["mail"] == [{"subject": "Contacts deleted", "to": ["sales@example.org"]}]
    assert (example.count("Contact"), example.count("Ticket")) == (5, 5)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_reminder_of_the_example_is_sent_by_the_worker_of_the_site(
    project: Project, create_database: databases.Creator, version: str
) -> None:
    example = _Example.create(project, version, create_database(f"remind_{version.replace('.', '_')}"))

    said = example.tick()["tickets/remind"]["output"]

    assert said == "#1 Printer does not print: ready\n"
    assert "Subject: Still open: #1 Printer does not print" in example.manage("db_worker", "--batch")
