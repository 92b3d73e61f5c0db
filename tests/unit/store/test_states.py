"""The database itself refuses what the state machine of docs/glossary.md does not have."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from runner.model.statuses import STATUSES
from runner.store.database import deciding, dry_run
from runner.store.migrate import VERSION
from tests.support.project import Project

_ENDED = [status for status in STATUSES if status not in {"running", "skipped"}]


@pytest.fixture
def store(project: Project) -> Project:
    """A store with one run that has succeeded."""
    project.task("hello")
    project.commit()
    project.tick()
    return project


def _insert(database: sqlite3.Connection, **columns: object) -> None:
    row = {
        "task": 1,
        "version": 1,
        "trigger": "schedule",
        "status": "running",
        "scheduled_for": 1,
        "decided_at": 1,
        "due_at": 1,
        "supervisor": "boot:1:1",
        **columns,
    }
    names = ", ".join(f'"{name}"' for name in row)
    database.execute(f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))  # noqa: S608


def test_a_claimed_slot_is_a_row_that_the_database_accepts(store: Project) -> None:
    with store.database() as database:
        _insert(database)


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "done"},
        {"trigger": "cron"},
        {"finished_at": 5},
        {"due_at": None},
        {"status": "succeeded"},
        {"status": "failed", "finished_at": 5},
        {"status": "lost"},
        {"status": "skipped"},
        {"status": "skipped", "reason": "busy", "started_at": 5},
        {"scheduled_for": None},
        {"missed": -1},
        {"attempts": -1},
    ],
    ids=str,
)
def test_a_run_in_no_state_of_the_machine_is_refused(store: Project, columns: dict[str, object]) -> None:
    with store.database() as database, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        _insert(database, **columns)


def test_a_slot_cannot_be_on_record_twice(store: Project) -> None:
    with store.database() as database:
        _insert(database, scheduled_for=7)
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            _insert(database, scheduled_for=7, status="skipped", reason="busy", supervisor=None)


def test_runs_by_hand_have_no_slot_and_may_be_many(store: Project) -> None:
    with store.database() as database:
        for _ in range(3):
            _insert(database, scheduled_for=None, trigger="manual")


@pytest.mark.parametrize("status", _ENDED)
@pytest.mark.parametrize("other", STATUSES)
def test_a_run_that_has_ended_stays_as_it_is(store: Project, status: str, other: str) -> None:
    with store.database() as database:
        _insert(database)
        database.execute("UPDATE runs SET status = ?, finished_at = 5, attempts = 1 WHERE scheduled_for = 1", (status,))
        if other == status:
            return
        with pytest.raises(sqlite3.IntegrityError, match=r"stays as it is|CHECK"):
            database.execute("UPDATE runs SET status = ?, finished_at = NULL WHERE scheduled_for = 1", (other,))


def test_a_transaction_that_fails_leaves_nothing(store: Project) -> None:
    path = store.workspace.database

    def fail() -> None:
        with deciding(path) as session, session.transaction():
            session.change("DELETE FROM problems")
            session.change("UPDATE tasks SET anchor = 5")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with store.database() as database:
        assert database.execute("SELECT anchor FROM tasks").fetchone() != (5,)


def test_what_happens_in_a_rehearsal_has_not_happened(store: Project) -> None:
    with dry_run(store.workspace.database) as session, session.transaction():
        assert session.change("UPDATE tasks SET anchor = 5") == 1

    with store.database() as database:
        assert database.execute("SELECT anchor FROM tasks").fetchone() != (5,)


def test_the_store_is_in_wal_mode_at_the_version_of_the_last_migration(store: Project) -> None:
    migrations = sorted((Path(__file__).parents[3] / "runner/store/migrations").glob("*.sql"))

    with store.database() as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert [int(path.name[:4]) for path in migrations] == list(range(1, VERSION + 1))


def test_processes_that_make_the_store_at_one_moment_make_one(tmp_path: Path) -> None:
    path = tmp_path / "state/runner.db"
    path.parent.mkdir()
    code = (
        "import sys\nfrom runner.store.database import deciding\nfrom runner.store.catalogs import source\n"
        "with deciding(sys.argv[1]) as session:\n    print(source(session).store_id)"
    )
    makers = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]

    answers = {maker.communicate(timeout=60)[0] for maker in makers}

    assert {maker.returncode for maker in makers} == {0}
    assert len(answers) == 1


def test_the_tick_asks_an_index_for_what_is_due_and_for_what_runs(store: Project) -> None:
    with store.database() as database:
        due = database.execute(
            "EXPLAIN QUERY PLAN SELECT key, id FROM tasks WHERE next_due <= ? ORDER BY next_due, id", (0,)
        ).fetchall()
        running = database.execute("EXPLAIN QUERY PLAN SELECT 1 FROM runs WHERE status = 'running'").fetchall()

    assert "tasks_due" in due[0][3]
    assert "INDEX runs_" in running[0][3]
