"""A run is written by its owner, about the attempt that is under way or about to be: nobody else changes a record."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from runner.model.attempt_result import AttemptResult
from runner.operations.ticking.tick import Request, decide
from runner.store import queue
from runner.store.database import deciding
from runner.store.endings import AttemptEnd, end_attempt, record_start
from runner.store.session import Deciding
from tests.support.project import MINUTE, NOON, Project

_HOUR = timedelta(hours=1)
_LATER = NOON + 10 * MINUTE
_ONE, _TWO = "boot:1:first", "boot:2:second"

Step = Callable[[Deciding], object]


def _take(owner: str) -> Step:
    return lambda session: queue.take(session, owner, NOON + MINUTE, 1)


def _start(owner: str, attempt: int) -> Step:
    return lambda session: record_start(session, owner, 1, attempt, NOON + MINUTE, _HOUR)


def _end(owner: str | None, attempt: int, status: str, *, began: bool = True, retry: bool = False) -> Step:
    started_at, code = (NOON + MINUTE, 0) if began else (None, None)
    result = AttemptResult(status, started_at, _LATER, status, exit_code=code, output=b"written by one owner")
    end = AttemptEnd(1, attempt, owner, result, status, NOON if retry else None)
    return lambda session: end_attempt(session, end)


def _release(owner: str, attempt: int) -> Step:
    return lambda session: queue.release(session, owner, [(1, attempt)], _LATER)


def _ask(session: Deciding) -> None:
    queue.ask_to_end(session, 1, "cancelled by hand", NOON)


_STARTED = [_take(_ONE), _start(_ONE, 1)]
_RETRIED = [*_STARTED, _end(_ONE, 1, "failed", retry=True)]
#: How a run came to where it is → who may write about it: its owner, and the attempt; None where nobody may.
_STORIES: dict[str, tuple[list[Step], tuple[str | None, int] | None]] = {
    "waits": ([], (None, 1)),
    "taken": ([_take(_ONE)], (_ONE, 1)),
    "taken, asked to end": ([_take(_ONE), _ask], (_ONE, 1)),
    "given back": ([_take(_ONE), _release(_ONE, 1)], (None, 1)),
    "given back, taken by another": ([_take(_ONE), _release(_ONE, 1), _take(_TWO)], (_TWO, 1)),
    "started": (_STARTED, (_ONE, 1)),
    "started, asked to end": ([*_STARTED, _ask], (_ONE, 1)),
    "waits for its second attempt": (_RETRIED, (None, 2)),
    "taken again by another": ([*_RETRIED, _take(_TWO)], (_TWO, 2)),
    "taken again by the same": ([*_RETRIED, _take(_ONE)], (_ONE, 2)),
    "started again by another": ([*_RETRIED, _take(_TWO), _start(_TWO, 2)], (_TWO, 2)),
    "started again by the same": ([*_RETRIED, _take(_ONE), _start(_ONE, 2)], (_ONE, 2)),
    "lost, tried again by another": (
        [_take(_ONE), _end(_ONE, 1, "lost", retry=True), _take(_TWO), _start(_TWO, 2)],
        (_TWO, 2),
    ),
    **{
        status: ([*_STARTED, _end(_ONE, 1, status)], None)
        for status in ("succeeded", "failed", "timed_out", "cancelled", "lost")
    },
    "cancelled while it waited": ([_ask], None),
    "ended at its second attempt": ([*_RETRIED, _take(_ONE), _start(_ONE, 2), _end(_ONE, 2, "succeeded")], None),
}
#: What an owner that knows no better may write, about which attempt.
_WRITES: dict[str, Callable[[str, int], Step]] = {
    "start": _start,
    "end": lambda owner, attempt: _end(owner, attempt, "succeeded"),
    "end of what never began": lambda owner, attempt: _end(owner, attempt, "cancelled", began=False),
    "end with a retry": lambda owner, attempt: _end(owner, attempt, "failed", retry=True),
    "release": _release,
}
_WRITERS = [(owner, attempt) for owner in (_ONE, _TWO) for attempt in (0, 1, 2, 3)]


@contextmanager
def _run(project: Project, story: str) -> Iterator[Deciding]:
    """Give the store of a run that has come to where a story ends."""
    project.task("once", retry={"attempts": 3, "delay": "0s"})
    project.commit()
    project.state.mkdir()
    decide(project.workspace, NOON, Request(), lambda: None)
    with deciding(project.workspace.database) as session:
        for step in _STORIES[story][0]:
            with session.transaction():
                step(session)
        yield session


def _everything(session: Deciding) -> list[object]:
    """Return all that is on record of runs."""
    tables = ("runs", "attempts", "outputs", "events")
    return [list(session.query(f"SELECT * FROM {table} ORDER BY 1, 2")) for table in tables]  # noqa: S608 - names of ours


@pytest.mark.parametrize("story", _STORIES)
def test_whoever_is_not_the_owner_or_means_another_attempt_changes_nothing(project: Project, story: str) -> None:
    with _run(project, story) as session:
        before = _everything(session)
        for writer, (name, write) in itertools.product(_WRITERS, _WRITES.items()):
            if writer == _STORIES[story][1]:
                continue
            with session.transaction():
                write(*writer)(session)

            assert _everything(session) == before, (writer, name)


@pytest.mark.parametrize("story", _STORIES)
def test_only_what_waits_for_an_owner_is_ended_in_the_name_of_nobody(project: Project, story: str) -> None:
    with _run(project, story) as session:
        before = _everything(session)
        for attempt in (0, 1, 2, 3):
            if (None, attempt) != _STORIES[story][1]:
                with session.transaction():
                    _end(None, attempt, "skipped", began=False)(session)

                assert _everything(session) == before, attempt


@pytest.mark.parametrize("name", ["start", "release"])
@pytest.mark.parametrize("story", [story for story in _STORIES if story.startswith("started")])
def test_an_attempt_that_has_started_neither_starts_again_nor_is_given_back(
    project: Project, story: str, name: str
) -> None:
    owner, attempt = _STORIES[story][1] or ("", 0)
    with _run(project, story) as session:
        before = _everything(session)
        with session.transaction():
            _WRITES[name](str(owner), attempt)(session)

        assert _everything(session) == before


@pytest.mark.parametrize("name", ["end", "end with a retry"])
@pytest.mark.parametrize("story", [story for story, (_, writer) in _STORIES.items() if writer and writer[0]])
def test_the_owner_ends_the_attempt_that_is_current(project: Project, story: str, name: str) -> None:
    owner, attempt = _STORIES[story][1] or ("", 0)
    with _run(project, story) as session:
        with session.transaction():
            assert _WRITES[name](str(owner), attempt)(session)

        assert session.one("SELECT attempts, supervisor IS NULL OR status <> 'running' FROM runs") == (attempt, 1)
