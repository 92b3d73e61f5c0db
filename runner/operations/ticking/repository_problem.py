"""What is wrong with the repository itself, while the last known commit goes on: told as a problem of the ref that it is about."""

from __future__ import annotations

from runner.errors import GitError
from runner.model.problem import ERROR, UNREADABLE, Problem
from runner.store import catalogs
from runner.store.session import Deciding


def note_repository_problem(session: Deciding, error: GitError | None) -> None:
    """Note why git cannot read what is new, or that it can again; writes nothing where that is known."""
    known = [problem for problem in catalogs.problems(session) if problem.code == UNREADABLE]
    now = [] if error is None else [_problem(error)]
    if known != now:
        with session.transaction(durable=False):
            catalogs.set_problems(session, [problem.file for problem in known], now)


def _problem(error: GitError) -> Problem:
    message = f"{error.message}; the last known commit stays in use"
    return Problem(error.about, 1, 1, UNREADABLE, ERROR, message, error.hint or "")
