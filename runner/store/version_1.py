"""Convert stores of version 1, which has five forms, for migration 0002.

Like that migration, this module must not change after its release.
"""

from __future__ import annotations

import json
import sqlite3

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from typing import Any

#: The columns that the widest form has and that of 0.1.0 lacks. A default is what a store without the column meant.
_ADDED = {
    "catalog": (
        "shutdown_grace INTEGER NOT NULL DEFAULT 30000",
        "secrets_file TEXT NOT NULL DEFAULT ''",
        "fetch_every INTEGER",
        "require_signed INTEGER NOT NULL DEFAULT 0",
        "allowed_signers TEXT NOT NULL DEFAULT ''",
    ),
    "versions": (
        "concurrency_policy TEXT NOT NULL DEFAULT 'forbid'",
        "catchup TEXT NOT NULL DEFAULT 'latest'",
        "starting_deadline INTEGER",
        "jitter INTEGER NOT NULL DEFAULT 0",
        "retry_attempts INTEGER NOT NULL DEFAULT 1",
        "retry_delay INTEGER NOT NULL DEFAULT 30000",
        "retry_backoff REAL NOT NULL DEFAULT 2.0",
        "retry_max_delay INTEGER NOT NULL DEFAULT 3600000",
        "memory INTEGER",
        "cpu INTEGER",
        "processes INTEGER",
        "open_files INTEGER",
        "file_size INTEGER",
        "env TEXT NOT NULL DEFAULT ''",
        "secrets TEXT NOT NULL DEFAULT ''",
    ),
    "tasks": ("next_slot INTEGER",),
    "runs": ("due_at INTEGER", "cancel_reason TEXT"),
    "attempts": ("reason TEXT",),
}
_REMOTE = """
CREATE TABLE IF NOT EXISTS remote (
    id INTEGER PRIMARY KEY, tried_at INTEGER, fetched_at INTEGER, failing_since INTEGER, failure TEXT,
    stuck_since INTEGER, stuck TEXT
)
"""


def widen(connection: sqlite3.Connection) -> None:
    """Add the columns and the table that a form of version 1 lacks."""
    for table, columns in _ADDED.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for column in columns:
            if column.split()[0] not in present:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    connection.execute(_REMOTE)
    connection.execute("INSERT OR IGNORE INTO remote (id) VALUES (1)")


def definition(*columns: Any) -> str:
    """Return `versions.definition`, a JSON object, from columns of version 1 in the order of migration 0002."""
    code, code_line, timeout, kill_grace, description, owner, tags, env, secrets = columns[:9]
    attempts, delay, backoff, max_delay, memory, cpu, processes, open_files, file_size = columns[9:]
    pairs = [pair.split("=", 1) for pair in env.split("\0") if pair]
    return json.dumps(
        {
            "code": code,
            "code_line": code_line,
            "timeout": _duration(timeout),
            "kill_grace": _duration(kill_grace),
            "description": description,
            "owner": owner,
            "tags": tags.split(),
            "retry": {
                "attempts": attempts,
                "backoff": backoff,
                "delay": _duration(delay),
                "max_delay": _duration(max_delay),
            },
            "limits": {
                "cpu": None if cpu is None else _duration(cpu),
                "file_size": file_size,
                "memory": memory,
                "open_files": open_files,
                "processes": processes,
            },
            "env": pairs,
            "secrets": secrets.split(),
        },
        ensure_ascii=False,
    )


def _duration(millis: int) -> dict[str, int]:
    return {"milliseconds": millis}
