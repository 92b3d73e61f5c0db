"""Stores that other versions have written, and the repository that their runs refer to."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from runner.execution.owners.process_identity import boot_id
from tests.support.project import Project

STORES = sorted((Path(__file__).parents[1] / "examples/stores").glob("*.sql"))
#: Five minutes after the last tick of these stores.
AFTERWARDS = datetime(2026, 6, 10, 12, 15, tzinfo=UTC)
#: The dates of Ada's two commits, to which the runs in these stores refer: the same dates give the same commit ids.
_DATES = {"GIT_AUTHOR_DATE": "2026-06-01T10:00:00Z", "GIT_COMMITTER_DATE": "2026-06-01T10:00:00Z"}
_ADA = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
}
FILES = {
    "often": 'frequency: 5\nunit: minutes\nactive: true\nowner: ada\ntags: [mail]\ncode: |\n  print("hello")\n',
    "daily": 'frequency: 1\nunit: days\nactive: true\ncode: |\n  print("gone")\n',
    "nightly": 'cron: 0 3 * * *\ntimezone: Europe/Berlin\nactive: true\ncode: |\n  print("night")\n',
    "fails": 'frequency: 5\nunit: minutes\nactive: true\ncode: |\n  raise ValueError("no rows")\n',
    "off": "frequency: 5\nunit: minutes\nactive: false\ncode: |\n  print(1)\n",
    "slow": (
        "frequency: 1\nunit: days\nactive: false\ncode: |\n"
        '  import time\n  print("slow", flush=True)\n  time.sleep(100)\n'
    ),
}


#: The boot of the machine on which these stores were written: the first part of each name of an owner.
_THEIR_BOOT = "6af0c6be-ac75-43aa-a146-53a088820fa3"


def begin_with(project: Project, store: Path, *, boot: str | None = None) -> None:
    """Give a project a store of another version, written in `boot`, and the commits to which the store refers.

    `boot` is by default the present boot of this machine.
    """
    for name, text in FILES.items():
        project.write(f"tasks/{name}.yaml", text)
    _commit(project, "Add the tasks")
    project.write("tasks/often.yaml", "frequency: x\n")
    _commit(project, "Break it")
    project.state.mkdir(exist_ok=True)
    with closing(sqlite3.connect(project.state / "runner.db")) as database:
        database.executescript(store.read_text().replace(_THEIR_BOOT, boot or boot_id()))
        database.execute("PRAGMA user_version = 1")
        database.execute("PRAGMA journal_mode = WAL")


def _commit(project: Project, message: str) -> None:
    for words in (("add", "--all"), ("commit", "--quiet", "--message", message)):
        subprocess.run(["git", *words], cwd=project.root, env={**os.environ, **_ADA, **_DATES}, check=True)
