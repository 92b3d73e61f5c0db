"""The two small questions of an idle tick: has the commit moved, is anything due. Imports nothing that they do not need."""

import sqlite3

_QUESTION = """
SELECT
    (SELECT user_version FROM pragma_user_version), c.commit_id, c.head_id, c.ref_path,
    (SELECT count(*) FROM (SELECT 1 FROM runs WHERE status = 'running' LIMIT 1)), t.id, t.next_due, t.next_local
FROM catalog c
LEFT JOIN tasks t ON t.key = (SELECT key FROM tasks WHERE next_due IS NOT NULL ORDER BY next_due LIMIT 1)
"""


class Outlook:
    """What the store expects next. A plain class: dataclasses would cost an idle tick half as much again."""

    __slots__ = ("commit", "head", "is_running", "next_due", "next_local", "next_task", "ref_path", "version")

    def __init__(self, row: tuple[int, str | None, str | None, str, int, str | None, int | None, str | None]) -> None:
        (
            self.version,
            self.commit,
            self.head,
            self.ref_path,
            running,
            self.next_task,
            self.next_due,
            self.next_local,
        ) = row
        self.is_running = bool(running)


def look(path: str) -> Outlook | None:
    """Return what the store expects next, or None where it cannot say: the whole tick will find out why."""
    try:
        # mode=rw: a missing file is not made.
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=rw", timeout=10, isolation_level=None, uri=True)
        try:
            row = connection.execute(_QUESTION).fetchone()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
    return None if row is None else Outlook(row)


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
