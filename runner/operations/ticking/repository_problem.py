"""Record what is wrong with the repository itself, as a problem of the ref that git cannot read.

Until that is repaired, the last known commit stays in use.
"""

from __future__ import annotations

from runner.errors import GitError
from runner.model.problem import ERROR, UNREADABLE, Problem
from runner.store import catalogs
from runner.store.session import Deciding


def note_repository_problem(session: Deciding, error: GitError | None) -> None:
    """Record why git cannot read the new commit, or that it can again. Write nothing where that is recorded."""
    recorded = [problem for problem in catalogs.problems(session) if problem.code == UNREADABLE]
    current = [] if error is None else [_problem(error)]
    if recorded != current:
        with session.transaction(durable=False):
            catalogs.set_problems(session, [problem.file for problem in recorded], current)


def _problem(error: GitError) -> Problem:
    message = f"{error.message}; the last known commit stays in use"
    return Problem(error.about, 1, 1, UNREADABLE, ERROR, message, error.hint or "")
