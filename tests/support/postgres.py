"""A private PostgreSQL server, with the same tables as a store."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from pwd import getpwnam

import pytest

from tests.support.waiting import wait_until

#: Folders with PostgreSQL's programs: Debian, Red Hat, Homebrew on both kinds of Mac, PostgreSQL's own default.
_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
_PROGRAMS = ("initdb", "postgres", "psql")
#: SQLite's types of columns → PostgreSQL's.
_TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea", "REAL": "double precision"}
_USER = "runner"


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None if they are not installed."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve()] if on_path else []
    found += [path for folder in _FOLDERS for path in sorted(Path("/").glob(f"{folder[1:]}/initdb"), reverse=True)]
    return next((path.parent for path in found if all((path.parent / name).exists() for name in _PROGRAMS)), None)


#: In CI these tests must run; elsewhere they are skipped with a reason.
needs_postgres = pytest.mark.skipif(
    not os.environ.get("CI") and (_programs() is None or (os.geteuid() == 0 and shutil.which("setpriv") is None)),
    reason="needs PostgreSQL's server programs (initdb), and for root setpriv(1)",
)


@dataclass(frozen=True)
class Postgres:
    """A server that listens on a socket in its folder."""

    programs: Path
    folder: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script in one psql, up to the first statement that fails; return the completed process."""
        options = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"]
        where = [f"--host={self.folder}", f"--username={_USER}", "--dbname=postgres", "--file=-"]
        return subprocess.run(
            [self.programs / "psql", *options, *where],
            input=script,
            check=False,
            capture_output=True,
            text=True,
            env=_environment(),
        )


@contextmanager
def server() -> Iterator[Postgres]:
    """Start a private server and yield it; always end it and remove its folder.

    Its folder is in the system's temporary folder: the path of a socket must be short, and the user of the server
    cannot enter the folders of pytest.
    """
    programs = _programs()
    assert programs is not None, "PostgreSQL's server programs are not installed"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, *_nobody())
        _make(programs, folder)
        with _started(Postgres(programs, folder)) as running:
            yield running
    finally:
        shutil.rmtree(folder)


def _make(programs: Path, folder: Path) -> None:
    # Texts are ordered by their bytes, as in SQLite. Other users cannot enter the folder, so no password is
    # not_null_clause.
    options = ["--locale=C", "--encoding=UTF8", "--auth=trust", "--no-sync", f"--username={_USER}"]
    process = _start(folder, programs / "initdb", *options, f"--pgdata={folder / 'data'}")
    assert process.wait() == 0, _log(folder).read_text()


@contextmanager
def _started(postgres: Postgres) -> Iterator[Postgres]:
    folder = postgres.folder
    settings = [f"--unix_socket_directories={folder}", "--listen_addresses=", "--fsync=off"]
    process = _start(folder, postgres.programs / "postgres", "-D", str(folder / "data"), *settings)
    try:
        wait_until(lambda: process.poll() is not None or _answers(postgres), "an answer of the server")
        assert process.poll() is None, _log(folder).read_text()
        yield postgres
    finally:
        process.send_signal(signal.SIGQUIT)  # the signal of `pg_ctl stop --mode=immediate`
        process.wait()


def _start(folder: Path, program: Path, *options: str) -> subprocess.Popen[bytes]:
    with _log(folder).open("a") as log:
        command = [*_as_ordinary_user(), str(program), *options]
        return subprocess.Popen(command, cwd=folder, env=_environment(), stdout=log, stderr=log)


def _log(folder: Path) -> Path:
    return folder / "log"


def _answers(postgres: Postgres) -> bool:
    return postgres.run("SELECT 1").returncode == 0


def _as_ordinary_user() -> list[str]:
    """Return the words before a command that start it as an ordinary user, and end it when the tests are killed.

    PostgreSQL refuses to run as root.
    """
    if shutil.which("setpriv") is None:
        return []
    if os.geteuid() != 0:
        return ["setpriv", "--pdeathsig=QUIT"]
    user, group = _nobody()
    return ["setpriv", "--pdeathsig=QUIT", f"--reuid={user}", f"--regid={group}", "--clear-groups"]


def _nobody() -> tuple[int, int]:
    found = getpwnam("nobody")
    return found.pw_uid, found.pw_gid


def _environment() -> dict[str, str]:
    """Return an environment without variables that name another server."""
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "PGCLIENTENCODING": "UTF8"}


def tables_in(store: sqlite3.Connection) -> list[str]:
    """Return the names of the tables of a store."""
    names = store.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    return [name for (name,) in names]


def definitions(store: sqlite3.Connection) -> Iterator[str]:
    """Yield the statements that create the tables of a store in PostgreSQL, with columns, keys, indexes and rows."""
    for table in tables_in(store):
        yield f"CREATE TABLE {table} ({', '.join(chain(_columns(store, table), _keys(store, table)))})"
        for row in store.execute(f"SELECT * FROM {table}"):  # noqa: S608 - a name of ours
            yield f"INSERT INTO {table} VALUES ({', '.join(map(literal, row))})"  # noqa: S608
    for (index,) in store.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"):
        yield index


def _columns(store: sqlite3.Connection, table: str) -> Iterator[str]:
    described = list(store.execute(f"PRAGMA table_info({table})"))
    is_numbered = [row[-1] for row in described if row[-1]] == [1]  # the key is one column: SQLite numbers rows by it
    for _, name, kind, not_null, default, key in described:
        number = "GENERATED BY DEFAULT AS IDENTITY" if key and is_numbered else ""
        not_null_clause = "NOT NULL" if not_null else ""
        default_clause = "" if default is None else f"DEFAULT {default}"
        yield f'"{name}" {_TYPES[kind]} {number} {not_null_clause} {default_clause}'


def _keys(store: sqlite3.Connection, table: str) -> Iterator[str]:
    keys = sorted((row[-1], row[1]) for row in store.execute(f"PRAGMA table_info({table})") if row[-1])
    if keys:
        yield f"PRIMARY KEY ({_names(name for _, name in keys)})"
    for _, index, _, source, _ in list(store.execute(f"PRAGMA index_list({table})")):
        if source == "u":
            yield f"UNIQUE ({_names(row[2] for row in store.execute(f'PRAGMA index_info({index})'))})"


def _names(names: Iterator[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def literal(value: object) -> str:
    """Return a Python value as a literal of PostgreSQL, where a boolean is not a number."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return rf"'\x{value.hex()}'"
    text = str(value).replace("'", "''")
    return f"'{text}'" if isinstance(value, str) else text.lower()
