"""Which commit the tasks are from, and the tasks that are compiled from it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from runner.clock import from_millis, to_millis
from runner.model.problem import REFUSED, Problem
from runner.model.settings import Settings
from runner.model.state import TaskState
from runner.model.task import Policy, ScheduleSpec, Task
from runner.store.rows import (
    SPEC_COLUMNS,
    STATE_COLUMNS,
    TASK_COLUMNS,
    instant,
    policy_of,
    spec_of,
    state_of,
    state_row,
    task_of,
    version_row,
)

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Origin:
    """From where the tasks in force were read, and what is settled there; the columns of `catalog`.

    `commit` is None before the first commit was; `shutdown_grace` and `fetch_every` are in milliseconds; `seen` is what was
    looked at for signatures, as `repo.trust` writes it.
    """

    store_id: str
    commit: str | None = None
    head: str | None = None
    ref: str = "HEAD"
    ref_path: str = "HEAD"
    settings_blob: str = ""
    settings_seen: str = ""
    head_settings: str = ""
    max_parallel: int = 4
    shutdown_grace: int = 30_000
    secrets_file: str = ""
    fetch_every: int | None = None
    require_signed: bool = False
    allowed_signers: str = ""
    seen: str = ""

    def following(self, settings: Settings) -> Origin:
        """Return the origin with what the `runner.yaml` of HEAD says of git."""
        return replace(
            self,
            ref=settings.ref,
            fetch_every=None if settings.fetch is None else settings.fetch // _MILLISECOND,
            require_signed=settings.require_signed,
            allowed_signers=settings.allowed_signers,
        )

    def settled_by(self, settings: Settings) -> Origin:
        """Return the origin with what a `runner.yaml` settles."""
        return replace(
            self,
            max_parallel=settings.max_parallel,
            shutdown_grace=settings.shutdown_grace // _MILLISECOND,
            secrets_file=settings.secrets_file,
        )


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task as the store keeps it. `version` is None while its file was never valid, `blob` once the file is gone.

    `next_due` is when its next slot is decided: later than the slot where jitter says so.
    """

    key: int
    id: str
    blob: str | None
    version: int | None
    spec: ScheduleSpec | None
    policy: Policy
    active: bool
    state: TaskState
    next_due: datetime | None
    valid_commit: str | None
    invalid_commit: str | None

    @property
    def offset(self) -> timedelta:
        """How much later than its slots the task starts."""
        return self.policy.offset(self.id)


_ORIGIN = """store_id, commit_id, head_id, ref, ref_path, settings_blob, settings_seen, head_settings,
    max_parallel, shutdown_grace, secrets_file, fetch_every, require_signed, allowed_signers, seen"""


def origin(connection: sqlite3.Connection) -> Origin:
    """Return from where the tasks in force were read."""
    found = Origin(*connection.execute(f"SELECT {_ORIGIN} FROM catalog").fetchone())  # noqa: S608 - columns are constants of ours
    return replace(found, require_signed=bool(found.require_signed))


def set_origin(connection: sqlite3.Connection, new: Origin) -> None:
    """Record from where the tasks in force were read."""
    connection.execute(
        f"INSERT OR REPLACE INTO catalog (id, {_ORIGIN}) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            *(new.store_id, new.commit, new.head, new.ref, new.ref_path),
            *(new.settings_blob, new.settings_seen, new.head_settings),
            *(new.max_parallel, new.shutdown_grace, new.secrets_file, new.fetch_every),
            *(new.require_signed, new.allowed_signers, new.seen),
        ),
    )


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What of a task differs when anything does: its id, its file, the version in force, and since when the file is invalid."""

    id: str
    blob: str | None
    version: int | None
    invalid_commit: str | None

    def is_broken(self) -> bool:
        """Return whether the file is not valid as it is."""
        return self.version is None or self.invalid_commit is not None


def fingerprints(connection: sqlite3.Connection) -> dict[int, Fingerprint]:
    """Return what tells one state of the tasks from another, by the keys that stay with them."""
    rows = connection.execute("SELECT key, id, blob, version, invalid_commit FROM tasks")
    return {row[0]: Fingerprint(*row[1:]) for row in rows}


def others_due(connection: sqlite3.Connection, key: int, since: datetime, until: datetime) -> int:
    """Return how many tasks but one have their next slot decided in [since, until)."""
    sql = "SELECT count(*) FROM tasks WHERE next_due >= ? AND next_due < ? AND key <> ?"
    return int(connection.execute(sql, (to_millis(since), to_millis(until), key)).fetchone()[0])


def present_blobs(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the blob of every task whose file is in the commit, by id."""
    return dict(connection.execute("SELECT id, blob FROM tasks WHERE blob IS NOT NULL"))


def has_tasks(connection: sqlite3.Connection) -> bool:
    """Return whether any task was ever seen."""
    return connection.execute("SELECT 1 FROM tasks LIMIT 1").fetchone() is not None


def is_present(connection: sqlite3.Connection, task_id: str) -> bool:
    """Return whether a task's file is in the commit."""
    sql = "SELECT 1 FROM tasks WHERE id = ? AND blob IS NOT NULL"
    return connection.execute(sql, (task_id,)).fetchone() is not None


def known_blobs(connection: sqlite3.Connection, settings_blob: str, blobs: Iterable[str]) -> set[str]:
    """Return which of the blobs have been compiled under those settings before."""
    wanted = set(blobs)
    if len(wanted) > _FEW:
        rows = connection.execute("SELECT blob FROM versions WHERE settings_blob = ?", (settings_blob,))
        return {blob for (blob,) in rows if blob in wanted}
    sql = "SELECT 1 FROM versions WHERE blob = ? AND settings_blob = ?"
    return {blob for blob in wanted if connection.execute(sql, (blob, settings_blob)).fetchone()}


def add_version(connection: sqlite3.Connection, blob: str, settings_blob: str, task: Task) -> None:
    """Keep a compiled task for good."""
    columns = TASK_COLUMNS.replace("v.", "")
    row = (blob, settings_blob, *version_row(task))
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO versions (blob, settings_blob, {columns}) VALUES ({marks}) ON CONFLICT (blob, settings_blob) DO NOTHING"  # noqa: S608 - columns are ours
    connection.execute(sql, row)


@dataclass(frozen=True, slots=True)
class Version:
    """What putting a compiled task in force takes."""

    id: int
    spec: ScheduleSpec
    policy: Policy
    active: bool


def version_of(connection: sqlite3.Connection, blob: str, settings_blob: str) -> Version | None:
    """Return the version compiled from a blob."""
    row = connection.execute(
        f"SELECT {SPEC_COLUMNS}, v.id FROM versions v WHERE v.blob = ? AND v.settings_blob = ?",  # noqa: S608
        (blob, settings_blob),
    ).fetchone()
    return None if row is None else Version(row[-1], spec_of(row), policy_of(row), bool(row[11]))


#: More than this are looked up faster by reading all.
_FEW = 200

_STORED = f"""
    SELECT t.key, t.id, t.blob, t.version, t.valid_commit, t.invalid_commit, t.next_due, {STATE_COLUMNS}, {SPEC_COLUMNS}
    FROM tasks t LEFT JOIN versions v ON v.id = t.version
"""  # noqa: S608 - columns are constants of ours


def find_task(connection: sqlite3.Connection, task_id: str) -> StoredTask | None:
    """Return the task of an id, also where its file is gone."""
    row = connection.execute(f"{_STORED} WHERE t.id = ?", (task_id,)).fetchone()
    return None if row is None else _stored(row)


def stored_tasks(connection: sqlite3.Connection) -> Iterator[StoredTask]:
    """Yield every task whose file is in the commit, by id."""
    return map(_stored, connection.execute(f"{_STORED} WHERE t.blob IS NOT NULL ORDER BY t.id"))


def load_task(connection: sqlite3.Connection, version: int, task_id: str) -> Task:
    """Return a version of a task, with its code."""
    row = connection.execute(f"SELECT {TASK_COLUMNS} FROM versions v WHERE v.id = ?", (version,)).fetchone()  # noqa: S608
    return task_of(task_id, row)


def _stored(row: tuple[Any, ...]) -> StoredTask:
    key, task_id, blob, version, valid, invalid, next_due = row[:7]
    state, columns = state_of(row[7:]), row[11:]
    spec, policy = (None, Policy()) if version is None else (spec_of(columns), policy_of(columns))
    return StoredTask(
        key, task_id, blob, version, spec, policy, bool(columns[11]), state, instant(next_due), valid, invalid
    )


def add_task(
    connection: sqlite3.Connection, task_id: str, blob: str, version: Version | None, state: TaskState
) -> None:
    """Add a task that was never seen before."""
    times = (None,) * 6 if version is None else state_row(state, version.spec, version.policy.offset(task_id))
    connection.execute(
        """
        INSERT INTO tasks (id, blob, version, anchor, watermark, last_run_slot, next_slot, next_due, next_local)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (task_id, blob, None if version is None else version.id, *times),
    )


def put_in_force(
    connection: sqlite3.Connection, key: int, task_id: str, blob: str, version: Version, state: TaskState
) -> None:
    """Let a task go on with a valid version of its file."""
    connection.execute(
        """
        UPDATE tasks SET blob = ?, version = ?, valid_commit = NULL, invalid_commit = NULL,
               anchor = ?, watermark = ?, last_run_slot = ?, next_slot = ?, next_due = ?, next_local = ?
        WHERE key = ?
        """,
        (blob, version.id, *state_row(state, version.spec, version.policy.offset(task_id)), key),
    )


def degrade(connection: sqlite3.Connection, key: int, blob: str, valid: str | None, invalid: str | None) -> None:
    """Note that a task's file is invalid: its last valid version, from commit `valid`, stays in force."""
    connection.execute(
        """
        UPDATE tasks SET blob = ?, valid_commit = coalesce(valid_commit, ?), invalid_commit = coalesce(invalid_commit, ?)
        WHERE key = ?
        """,
        (blob, valid, invalid, key),
    )


def set_blob(connection: sqlite3.Connection, key: int, blob: str) -> None:
    """Note the file of a task that was never valid and still is not."""
    connection.execute("UPDATE tasks SET blob = ? WHERE key = ?", (blob, key))


def retire(connection: sqlite3.Connection, key: int) -> None:
    """Note that a task's file is gone. Its history stays, and so does where it stood."""
    connection.execute(
        """
        UPDATE tasks SET blob = NULL, valid_commit = NULL, invalid_commit = NULL,
               next_slot = NULL, next_due = NULL, next_local = NULL
        WHERE key = ?
        """,
        (key,),
    )


def rename_task(connection: sqlite3.Connection, old: str, new: str) -> bool:
    """Give a task another id, with all its state and history; False where the new id already has a history of its own."""
    if find_task(connection, old) is None or find_task(connection, new) is not None:
        return False
    connection.execute("UPDATE tasks SET id = ? WHERE id = ?", (new, old))
    return True


def set_problems(connection: sqlite3.Connection, files: Iterable[str], problems: Iterable[Problem]) -> None:
    """Replace what is known to be wrong with some files."""
    connection.executemany("DELETE FROM problems WHERE file = ?", [(file,) for file in files])
    connection.executemany(
        "INSERT INTO problems VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(p.file, p.line, p.column, p.code, p.severity, p.message, p.hint) for p in problems],
    )


def has_refused(connection: sqlite3.Connection) -> bool:
    """Return whether any file is not taken over because of who changed it."""
    return connection.execute("SELECT 1 FROM problems WHERE code = ? LIMIT 1", (REFUSED,)).fetchone() is not None


def problems(connection: sqlite3.Connection) -> tuple[Problem, ...]:
    """Return the problems of the commit's files, sorted."""
    rows = connection.execute('SELECT file, line, "column", code, severity, message, hint FROM problems')
    return tuple(sorted((Problem(*row) for row in rows), key=Problem.order))


def next_slot(connection: sqlite3.Connection) -> tuple[str, datetime, str] | None:
    """Return the first slot planned: its task, its instant, and that on the task's wall clock."""
    row = connection.execute(
        "SELECT id, next_due, next_local FROM tasks WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1"
    ).fetchone()
    return None if row is None else (row[0], from_millis(row[1]), row[2])
