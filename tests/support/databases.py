"""The databases that a Django project may have: SQLite, and private servers of PostgreSQL and MariaDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import mariadb, postgres

#: The kinds of databases, to be skipped where there is no server.
SERVERS = (
    pytest.param("postgresql", marks=postgres.needs_postgres),
    pytest.param("mariadb", marks=mariadb.needs_mariadb),
)
KINDS = ("sqlite", *SERVERS)

#: What creates an empty database of this name, and returns the variables for the settings of a project.
Creator = Callable[[str], dict[str, str]]

#: A module `MySQLdb` for Django: the driver in Python needs no compiler.
_DRIVER = """\
import pymysql
pymysql.version_info = (2, 2, 8, "final", 0)  # that of the driver which Django asks for
pymysql.install_as_MySQLdb()
"""


@contextmanager
def server(kind: str) -> Iterator[Creator]:
    """Start a private server, and yield what creates databases in it; always end it. SQLite needs none."""
    if kind == "postgresql":
        with postgres.server() as running:
            yield lambda name: _in_postgres(running, name)
    elif kind == "mariadb":
        with mariadb.server() as socket:
            yield lambda name: _in_mariadb(socket, name)
    else:
        yield lambda _: {}


def _in_postgres(running: postgres.Postgres, name: str) -> dict[str, str]:
    assert running.run(f"CREATE DATABASE {name}").returncode == 0
    return _variables("postgresql", name, running.folder, postgres.USER)


def _in_mariadb(socket: Path, name: str) -> dict[str, str]:
    mariadb.create_database(socket, name)
    return _variables("mysql", name, socket, "root")


def _variables(engine: str, name: str, host: Path, user: str) -> dict[str, str]:
    return {"DB_ENGINE": engine, "DB_NAME": name, "DB_HOST": str(host), "DB_USER": user}


def add_driver(folder: Path) -> None:
    """Give the project in a folder the driver of MariaDB."""
    (folder / "MySQLdb.py").write_text(_DRIVER)
