"""A transaction that SQLite itself has ended is told by its own error, and nothing of it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.store import catalogs
from runner.store.database import deciding
from runner.store.session import Deciding

#: Conflict clauses by which SQLite ends the whole transaction, or leaves it to be rolled back by who began it.
_ENDINGS = ("ROLLBACK", "ABORT", "FAIL")


def _fail(session: Deciding, clause: str) -> None:
    session.change("CREATE TABLE numbers (number INTEGER PRIMARY KEY)")
    session.change("INSERT INTO numbers VALUES (1)")
    session.change(f"INSERT OR {clause} INTO numbers VALUES (1)")  # noqa: S608


@pytest.mark.parametrize("clause", _ENDINGS)
def test_whatever_has_ended_a_transaction_its_own_error_is_told_and_nothing_is_kept(
    tmp_path: Path, clause: str
) -> None:
    store = str(tmp_path / "runner.db")

    with (
        pytest.raises(StoreError, match="UNIQUE constraint failed"),
        deciding(store) as session,
        session.transaction(),
    ):
        _fail(session, clause)

    with deciding(store) as session:
        assert session.one("SELECT 1 FROM sqlite_master WHERE name = 'numbers'") is None
        with session.transaction():
            catalogs.set_problems(session, ["a"], [])
