"""The one query of an idle tick: whether there is a new commit, and whether anything is due.

This module imports only what the query needs, because every tick loads it.
"""

import os
import sqlite3

#: The form of each byte of a path in a URI.
_QUOTED = [chr(byte) if 32 < byte < 127 and byte not in b"%?#" else f"%{byte:02x}" for byte in range(256)]  # noqa: PLR2004 - ASCII

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow down a tick
if TYPE_CHECKING:
    from typing import Any

_QUERY = """
SELECT
    (SELECT user_version FROM pragma_user_version), c.commit_id, c.head_id, c.ref_path,
    (SELECT group_concat(DISTINCT supervisor) FROM runs WHERE status = 'running'),
    EXISTS (SELECT 1 FROM runs WHERE status = 'running' AND cancel_reason IS NOT NULL),
    (SELECT min(due_at) FROM runs WHERE status = 'running' AND supervisor IS NULL),
    (SELECT min(overdue_at) FROM runs WHERE status = 'running'),
    (SELECT min(overdue_monotonic) FROM runs WHERE status = 'running'),
    c.decided_at, c.zones,
    (SELECT count(DISTINCT file) FROM problems WHERE severity = 'error'), t.id, t.next_due, t.next_local,
    c.fetch_every, (SELECT tried_at FROM remote), EXISTS (SELECT 1 FROM problems WHERE code IN ('git', 'unsigned')),
    c.ref, c.branch
FROM catalog c
LEFT JOIN tasks t ON t.key = (SELECT key FROM tasks WHERE next_due IS NOT NULL ORDER BY next_due, id LIMIT 1)
"""


class NextWork:
    """The row of the query. A plain class: to load `dataclasses` would make an idle tick half as long again."""

    __slots__ = (
        *("version", "commit", "head", "ref_path", "owners", "is_asked", "waiting", "overdue"),
        *("overdue_monotonic", "decided", "zones"),
        *("broken", "next_task", "next_due", "next_local", "fetch_every", "fetch_tried", "is_open", "ref", "branch"),
    )

    def __init__(self, row: "tuple[Any, ...]") -> None:
        self.version, self.commit, self.head, self.ref_path, owners, self.is_asked = row[:6]
        self.owners = owners.split(",") if owners else []
        self.waiting, self.overdue, self.overdue_monotonic, self.decided, self.zones = row[6:11]
        self.broken, self.next_task, self.next_due, self.next_local = row[11:15]
        self.fetch_every, self.fetch_tried, self.is_open, self.ref, self.branch = row[15:]

    def is_fetch_due(self, now: int) -> bool:
        """Return whether a fetch is due at `now`, in milliseconds since 1970.

        It is due if the interval has passed since the last try, or if the clock was set back to before that.
        """
        if self.fetch_every is None or self.fetch_tried is None:
            return self.fetch_every is not None
        return not self.fetch_tried <= now < self.fetch_tried + self.fetch_every


def look(path: str) -> NextWork | None:
    """Return the row of the query, None if the store cannot be read: then the whole tick runs and reports why."""
    try:
        connection = _connect(path)
        try:
            row = connection.execute(_QUERY).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return None if row is None else NextWork(row)


def as_uri(path: str) -> str:
    """Return a path, which may have any bytes, as a URI for SQLite without parameters (https://sqlite.org/uri.html)."""
    return "file:" + "".join(map(_QUOTED.__getitem__, os.fsencode(path)))


def _connect(path: str) -> sqlite3.Connection:
    # mode=rw: SQLite does not create a missing file.
    return sqlite3.connect(f"{as_uri(path)}?mode=rw", timeout=10, isolation_level=None, uri=True)
