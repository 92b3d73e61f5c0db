"""The steps of `docs/from-django.md`, from a table of tasks in a Django project to runs of runner."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.django import VERSIONS, Application
from tests.support.project import NOON, Project

_PAGE = Path(__file__).parents[2] / "docs" / "from-django.md"
_MODELS = """\
from django.db import models
class ScheduledTask(models.Model):
    name = models.CharField(max_length=100)
    description = models.TextField()
    frequency = models.IntegerField()
    unit = models.CharField(max_length=10)
    active = models.BooleanField()
    code = models.TextField()
"""
#: The name of a row → its description, and its code as a form stores it.
_ROWS = {
    "Daily report": (
        "The users: how many?",
        (
            "total = User.objects.count()\r\nprint(f\"=== {timezone.now().strftime('%d/%m/%Y')} ===\")\r\n\r\n"
            "if total == 0:\r\n    print('no users')\r\n"
        ),
    ),
    "Añade #1": ('Say "hello"\nto all', "for name in ['ana']:\n\tUser.objects.create(username=name)\nprint('año')"),
    "Old": ("", "print(timezone.localtime() - timedelta(days=1))"),
}


def _manage(app: Application, *words: str, script: str = "") -> None:
    done = subprocess.run(
        [app.python, "manage.py", *words], cwd=app.folder, input=script, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", VERSIONS)
def test_the_documented_steps_bring_each_row_of_a_table_into_a_task_that_runs(project: Project, version: str) -> None:
    app = Application.create(project, version)
    (app.folder / "scheduled").mkdir()
    (app.folder / "scheduled" / "__init__.py").touch()
    (app.folder / "scheduled" / "models.py").write_text(_MODELS)
    app.add_settings("INSTALLED_APPS += ['scheduled']")
    _manage(app, "migrate", "-v0", "--run-syncdb")
    rows = [(name, *row, name != "Old") for name, row in _ROWS.items()]
    fields = "name=row[0], description=row[1], code=row[2], active=row[3], frequency=1, unit='days'"
    create = f"from scheduled.models import ScheduledTask\nfor row in {rows!r}:\n    ScheduledTask.objects.create({fields})\n\n"
    _manage(app, "shell", script=create)

    [script] = [block for block in _blocks("python") if block.startswith("# export.py")]
    _manage(app, "shell", script=script)
    (app.folder / "tasks").rename(project.root / "tasks")
    project.write("runner.yaml", _settings(app))

    assert project.runner("validate").returncode == 0, project.runner("validate").stdout
    rehearsed = project.runner("run", "anade-1", "--worktree", "--rollback", now=NOON)
    assert (rehearsed.returncode, rehearsed.stdout, app.users()) == (0, "año\n", []), rehearsed.stderr
    project.commit()
    assert project.runner("tick", now=NOON).returncode == 0
    assert {run.task: run.status for run in project.runs()} == {"anade-1": "succeeded", "daily-report": "succeeded"}
    assert app.users() == ["ana"]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)


def _settings(app: Application) -> str:
    """Return the documented `runner.yaml`, with the Python of the tests and without a file of variables."""
    [text] = [block for block in _blocks("text") if block.startswith("# runner.yaml")]
    text = re.sub(r"^ *env_file:.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("{network: [5432]}", f"{{write: [{app.folder}]}}")
    return text.replace("../app/.venv/bin/python", str(app.python))
