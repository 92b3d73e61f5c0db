"""Record and query the commit in force, its tasks, their versions and its problems."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from runner.clock import from_millis, to_millis
from runner.model.problem import REFUSED, Problem
from runner.model.state import TaskState
from runner.model.stored import StoredTask, Version
from runner.model.task import Policy, ScheduleSpec, Task
from runner.store.rows import (
    SPEC_COLUMNS,
    STATE,
    STATE_COLUMNS,
    TASK_COLUMNS,
    contexts_row,
    instant,
    policy_of,
    spec_of,
    state_of,
    state_row,
    task_of,
    version_row,
)
from runner.store.session import Deciding, Reading
from runner.value import Value, as_dict, replace

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from runner.model.settings import Settings

_MILLISECOND = timedelta(milliseconds=1)


class Source(Value):
    """The commit in force and the settings of the repository: the columns of `catalog`.

    - `commit`: None before the first commit is put in force.
    - `settings_blob`: the blob of the `runner.yaml` in force, `settings_seen` that of the commit, which may be
      invalid, and `head_settings` that of HEAD.
    - `shutdown_grace`, `fetch_every`: in milliseconds.
    - `files`: the paths that runs see of their commit, one per line; empty for the default.
    - `files_commit`: the last commit whose files were accepted; None if those of `commit` are, empty if there is none.
    - `seen`, `files_seen`: the commits that were checked for signatures, of tasks and of files (`repo.trust.Seen`).
    - `branch`: the full name of the branch of HEAD, empty if HEAD is detached; None if another ref is followed.
    - `branch_before`: the branch that HEAD was on before it was moved.
    - `branch_since`: when a command found that HEAD was moved, in milliseconds since 1970.
    - `contexts`: a JSON list, as `rows.contexts_row` returns it.
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
    files: str = ""
    files_commit: str | None = None
    files_seen: str = ""
    fetch_every: int | None = None
    require_signed: bool = False
    allowed_signers: str = ""
    seen: str = ""
    branch: str | None = None
    branch_before: str | None = None
    branch_since: int | None = None
    contexts: str = ""

    def following(self, settings: Settings) -> Source:
        """Return the source with the settings of git, which the `runner.yaml` of HEAD determines."""
        return replace(
            self,
            ref=settings.ref,
            fetch_every=None if settings.fetch is None else settings.fetch // _MILLISECOND,
            require_signed=settings.require_signed,
            allowed_signers=settings.allowed_signers,
        )

    def settled_by(self, settings: Settings) -> Source:
        """Return the source with the settings for runs, which the `runner.yaml` of their commit determines."""
        return replace(
            self,
            max_parallel=settings.max_parallel,
            shutdown_grace=settings.shutdown_grace // _MILLISECOND,
            secrets_file=settings.secrets_file,
            files="\n".join(settings.files),
            contexts=contexts_row(settings.contexts),
        )


_SOURCE_COLUMNS = """store_id, commit_id, head_id, ref, ref_path, settings_blob, settings_seen, head_settings,
    max_parallel, shutdown_grace, secrets_file, files, files_commit, files_seen,
    fetch_every, require_signed, allowed_signers, seen,
    branch, branch_before, branch_since, contexts"""


def source(session: Reading) -> Source:
    """Return the commit in force and the settings of the repository."""
    row = session.one(f"SELECT {_SOURCE_COLUMNS} FROM catalog") or ("",)  # noqa: S608 - columns are constants of ours
    found = Source(*row)
    return replace(found, require_signed=bool(found.require_signed))


def set_source(session: Deciding, new: Source) -> None:
    """Record the commit in force and the settings of the repository."""
    assignments = ", ".join(f"{name.strip()} = ?" for name in _SOURCE_COLUMNS.split(","))
    values = as_dict(new) | {"require_signed": int(new.require_signed)}
    session.change(f"UPDATE catalog SET {assignments}", tuple(values.values()))  # noqa: S608


def others_due(session: Reading, key: int, since: datetime, until: datetime) -> int:
    """Return how many other tasks have a next slot that is due in [since, until)."""
    sql = "SELECT count(*) FROM tasks WHERE next_due >= ? AND next_due < ? AND key <> ?"
    return int(session.value(sql, (to_millis(since), to_millis(until), key)))


def present_blobs(session: Reading) -> dict[str, str]:
    """Return the blob of each task whose file is in the commit, by the id of the task."""
    return dict(session.query("SELECT id, blob FROM tasks WHERE blob IS NOT NULL"))


def has_tasks(session: Reading) -> bool:
    """Return whether the store has any task."""
    return session.one("SELECT 1 FROM tasks LIMIT 1") is not None


def is_present(session: Reading, task_id: str) -> bool:
    """Return whether a task's file is in the commit."""
    sql = "SELECT 1 FROM tasks WHERE id = ? AND blob IS NOT NULL"
    return session.one(sql, (task_id,)) is not None


def known_blobs(session: Reading, settings_blob: str, blobs: Iterable[str]) -> set[str]:
    """Return those of the blobs that have been compiled with these settings."""
    wanted = set(blobs)
    if len(wanted) > _FEW:
        rows = session.query("SELECT blob FROM versions WHERE settings_blob = ?", (settings_blob,))
        return {blob for (blob,) in rows if blob in wanted}
    sql = "SELECT 1 FROM versions WHERE blob = ? AND settings_blob = ?"
    return {blob for blob in wanted if session.one(sql, (blob, settings_blob))}


def add_version(session: Deciding, blob: str, settings_blob: str, task: Task) -> None:
    """Record a compiled task as a version, unless it is recorded already. Versions never change."""
    row = {"blob": blob, "settings_blob": settings_blob, **version_row(task)}
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    sql = f"INSERT INTO versions ({names}) VALUES ({marks}) ON CONFLICT (blob, settings_blob) DO NOTHING"  # noqa: S608 - constants of ours
    session.change(sql, tuple(row.values()))


def version_of(session: Reading, blob: str, settings_blob: str) -> Version | None:
    """Return the version compiled from a blob with these settings; None if there is none."""
    sql = f"SELECT {SPEC_COLUMNS}, v.id FROM versions v WHERE v.blob = ? AND v.settings_blob = ?"  # noqa: S608
    row = session.one(sql, (blob, settings_blob))
    return None if row is None else Version(row[-1], spec_of(row), policy_of(row), bool(row[11]))


#: For more blobs than this, one query for all versions is faster than one for each blob.
_FEW = 200

_STORED = f"""
    SELECT t.key, t.id, t.blob, t.version, t.valid_commit, t.invalid_commit, t.next_due, {STATE_COLUMNS}, {SPEC_COLUMNS}
    FROM tasks t LEFT JOIN versions v ON v.id = t.version
"""  # noqa: S608 - columns are constants of ours


def find_task(session: Reading, task_id: str) -> StoredTask | None:
    """Return the task with an id, even if its file is gone; None if there is none."""
    row = session.one(f"{_STORED} WHERE t.id = ?", (task_id,))
    return None if row is None else _stored(row)


def stored_tasks(session: Reading) -> Iterator[StoredTask]:
    """Yield the tasks whose files are in the commit, in the order of their ids."""
    return map(_stored, session.query(f"{_STORED} WHERE t.blob IS NOT NULL ORDER BY t.id"))


class ListedTask(Value):
    """What `list` shows of a task. `spec` is None if its file was never valid.

    `starts` is when its next slot starts, jitter included; None if no slot is planned. `definition` is what
    `definition_of` returns.
    """

    id: str
    spec: ScheduleSpec | None
    active: bool
    degraded: bool
    starts: datetime | None
    definition: dict[str, Any]


def listed_tasks(session: Reading) -> Iterator[ListedTask]:
    """Yield what `list` shows of the tasks whose files are in the commit, by id. It is fast enough for thousands."""
    sql = f"""
        SELECT {SPEC_COLUMNS}, v.definition, t.id, t.invalid_commit, t.next_slot
        FROM tasks t LEFT JOIN versions v ON v.id = t.version
        WHERE t.blob IS NOT NULL ORDER BY t.id
    """  # noqa: S608 - columns are constants of ours
    return map(_listed, session.query(sql))


def _listed(row: tuple[Any, ...]) -> ListedTask:
    active, definition, task_id, invalid, slot = row[-5:]
    if definition is None:
        return ListedTask(task_id, None, False, False, None, {})  # noqa: FBT003 - keyword arguments are slower
    starts = None if slot is None else from_millis(slot) + policy_of(row).offset(task_id)
    return ListedTask(task_id, spec_of(row), bool(active), invalid is not None, starts, json.loads(definition))


def load_task(session: Reading, version: int, task_id: str) -> Task:
    """Return a version of a task, with its code. Raises LookupError where there is no such version."""
    row = session.one(f"SELECT {TASK_COLUMNS} FROM versions v WHERE v.id = ?", (version,))  # noqa: S608
    if row is None:
        raise LookupError(f"there is no version {version}")
    return task_of(task_id, row)


def _stored(row: tuple[Any, ...]) -> StoredTask:
    key, task_id, blob, version, valid, invalid, next_due = row[:7]
    state, columns = state_of(row[7:]), row[7 + STATE :]
    spec, policy = (None, Policy()) if version is None else (spec_of(columns), policy_of(columns))
    return StoredTask(
        key, task_id, blob, version, spec, policy, bool(columns[11]), state, instant(next_due), valid, invalid
    )


def add_task(session: Deciding, task_id: str, blob: str, version: Version | None, state: TaskState) -> int:
    """Add a task that no commit has had before, and return its key. One that has only trials keeps its row and key."""
    times = {} if version is None else state_row(state, version.spec, version.policy.offset(task_id))
    row = {"blob": blob, "version": None if version is None else version.id, **times}
    key = session.value("SELECT key FROM tasks WHERE id = ?", (task_id,))
    if key is None:
        return session.add("tasks", {"id": task_id, **row})
    _update(session, key, row)
    return int(key)


def add_tried(session: Deciding, task_id: str) -> int:
    """Add a task that is only in the work tree, so that its trials can be recorded; return its key.

    It has no version in force, so no tick decides about it.
    """
    return session.add("tasks", {"id": task_id})


def data_folder(session: Deciding, task_id: str) -> str:
    """Return the name of a task's data folder, which its runs share. A task that is renamed keeps it."""
    found = session.value("SELECT data FROM tasks WHERE id = ?", (task_id,))
    if found is not None:
        return str(found)
    plain = name = task_id.replace("/", "+")  # ids have no plus sign in them
    number = 1
    while session.one("SELECT 1 FROM tasks WHERE data = ?", (name,)) is not None:
        number += 1
        name = f"{plain}+{number}"  # a task that had this id before it was renamed keeps the plain name
    session.change("UPDATE tasks SET data = ? WHERE id = ?", (name, task_id))
    return name


def put_in_force(session: Deciding, key: int, task_id: str, blob: str, version: Version, state: TaskState) -> None:
    """Record that a valid version of a task is in force, with the state of the task."""
    row = state_row(state, version.spec, version.policy.offset(task_id))
    _update(session, key, {"blob": blob, "version": version.id, "valid_commit": None, "invalid_commit": None, **row})


def set_state(session: Deciding, key: int, task_id: str, spec: ScheduleSpec, policy: Policy, state: TaskState) -> None:
    """Record the state of a task."""
    _update(session, key, state_row(state, spec, policy.offset(task_id)))


def _update(session: Deciding, key: int, columns: dict[str, object]) -> None:
    assignments = ", ".join(f"{name} = ?" for name in columns)
    session.change(f"UPDATE tasks SET {assignments} WHERE key = ?", (*columns.values(), key))  # noqa: S608 - constants of ours


def degrade(session: Deciding, key: int, blob: str, valid: str | None, invalid: str | None) -> None:
    """Record that a task's file is invalid since commit `invalid`; its version of commit `valid` stays in force."""
    session.change(
        """
        UPDATE tasks SET blob = ?, valid_commit = ?, invalid_commit = ? WHERE key = ?
        """,
        (blob, valid, invalid, key),
    )


def set_blob(session: Deciding, key: int, blob: str) -> None:
    """Record the blob of a task's file that is invalid, and was never valid."""
    session.change("UPDATE tasks SET blob = ? WHERE key = ?", (blob, key))


def retire(session: Deciding, key: int) -> None:
    """Record that a task's file is gone. Its history and its state are kept, without the next slot."""
    session.change(
        """
        UPDATE tasks SET blob = NULL, valid_commit = NULL, invalid_commit = NULL,
               next_slot = NULL, next_due = NULL, next_local = NULL
        WHERE key = ?
        """,
        (key,),
    )


def rename_task(session: Deciding, old: str, new: str) -> bool:
    """Give a task another id; its state and its history are kept. Trials under the new id become part of the history.

    Return False, without a change, if there is no such task or a commit has had a task with the new id.
    """
    renamed, present = find_task(session, old), find_task(session, new)
    if renamed is None or (present is not None and not present.is_only_tried):
        return False
    if present is not None:
        session.change("UPDATE runs SET task = ? WHERE task = ?", (renamed.key, present.key))
        session.change("DELETE FROM events WHERE task = ?", (present.key,))
        session.change("DELETE FROM tasks WHERE key = ?", (present.key,))
    session.change("UPDATE tasks SET id = ? WHERE id = ?", (new, old))
    return True


def set_problems(session: Deciding, files: Iterable[str], problems: Iterable[Problem]) -> None:
    """Replace the recorded problems of some files."""
    session.change_many("DELETE FROM problems WHERE file = ?", [(file,) for file in files])
    session.change_many(
        "INSERT INTO problems VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(p.file, p.line, p.column, p.code, p.severity, p.message, p.hint) for p in problems],
    )


def has_refused(session: Reading) -> bool:
    """Return whether a change of any file was refused because no allowed key has signed it."""
    return session.one("SELECT 1 FROM problems WHERE code = ? LIMIT 1", (REFUSED,)) is not None


def sandbox(session: Reading) -> str | None:
    """Return how the permissions of tasks in force are to be held; None where none is held."""
    sql = """
        SELECT v.definition FROM tasks t JOIN versions v ON v.id = t.version
        WHERE v.definition LIKE '%"is_held": true%' LIMIT 1
    """
    row = session.one(sql)
    return None if row is None else str(json.loads(row[0])["permissions"]["sandbox"])


def count_free(session: Reading) -> int:
    """Return how many active tasks in force are held to no permissions."""
    sql = """
        SELECT count(*) FROM tasks t JOIN versions v ON v.id = t.version
        WHERE v.active = 1 AND t.blob IS NOT NULL AND v.definition NOT LIKE '%"is_held": true%'
    """
    (count,) = session.one(sql) or (0,)
    return int(count)


def problems(session: Reading) -> tuple[Problem, ...]:
    """Return the problems of the commit's files, sorted."""
    rows = session.query('SELECT file, line, "column", code, severity, message, hint FROM problems')
    return tuple(sorted((Problem(*row) for row in rows), key=Problem.order))


def next_slot(session: Reading) -> tuple[str, datetime, str] | None:
    """Return the first planned slot: the id of its task, when it is due, and the same as a wall time of the task."""
    sql = "SELECT id, next_due, next_local FROM tasks WHERE next_due IS NOT NULL ORDER BY next_due, id LIMIT 1"
    row = session.one(sql)
    return None if row is None else (row[0], from_millis(row[1]), row[2])
