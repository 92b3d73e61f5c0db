"""Django projects as `django-admin startproject` makes them, and repositories of tasks beside them."""

from __future__ import annotations

import atexit
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.databases import add_driver
from tests.support.project import Project

#: The environments that `make test` has made.
VERSIONS = ("5.2", "newest")


def python_for(environment: str) -> Path:
    """Return the Python of an environment that `make test` has made (`tests/environments`)."""
    return Path(sys.prefix) / f"for-{environment}" / "bin" / "python"


def python_with(version: str) -> Path:
    """Return the Python of the environment with a version of Django."""
    return python_for(f"django-{version}")


@cache
def _started(version: str) -> Path:
    """Return a project that `django-admin startproject` has made and migrated; tests copy it."""
    folder = Path(tempfile.mkdtemp(prefix="runner-django-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    python = python_with(version)
    subprocess.run([python, "-m", "django", "startproject", "ticketing", folder], check=True)
    subprocess.run([python, "manage.py", "migrate", "-v0"], check=True, cwd=folder)
    return folder


@dataclass
class Application:
    """A Django project, and a repository of tasks that has it as the context `django`."""

    project: Project
    folder: Path
    python: Path

    @classmethod
    def create(cls, project: Project, version: str = "5.2", **keys: object) -> Application:
        """Copy the started project beside the repository, and write `runner.yaml` with these further keys."""
        folder = project.root.parent / "app"
        shutil.copytree(_started(version), folder)
        application = cls(project, folder, python_with(version))
        application.configure(**keys)
        return application

    def configure(self, **keys: object) -> None:
        """Write `runner.yaml` with the context `django`: all models in scope, and these keys."""
        lines = {"path": "../app", "python": str(self.python), "settings": "ticketing.settings", "models": "all"}
        text = "".join(f"    {name}: {value}\n" for name, value in {**lines, **keys}.items() if value is not None)
        self.project.write("runner.yaml", f"max_parallel: 20\nshutdown_grace: 2s\ncontexts:\n  django:\n{text}")

    def add_settings(self, text: str) -> None:
        """Add lines to the end of the settings module."""
        with (self.folder / "ticketing" / "settings.py").open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def use_database(self, variables: dict[str, str]) -> None:
        """Have the project use the empty database of a server, and make its tables."""
        keys = {name.removeprefix("DB_"): value for name, value in variables.items()}
        keys["ENGINE"] = f"django.db.backends.{keys['ENGINE']}"
        self.add_settings(f"DATABASES = {{'default': {keys}}}")
        add_driver(self.folder)
        subprocess.run([self.python, "manage.py", "migrate", "-v0"], check=True, cwd=self.folder)

    def users(self) -> list[str]:
        """Return the names of the users in the database."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3")) as database:
            return [name for (name,) in database.execute("SELECT username FROM auth_user ORDER BY id")]
