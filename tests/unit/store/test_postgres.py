"""PostgreSQL reads the SQL of the store as SQLite does: several machines will share one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from runner.model.attempt_result import AttemptResult, RunError
from runner.model.context import Context, ContextUse
from runner.model.problem import Problem
from runner.model.state import SKIP, START, Decision, TaskDecision, TaskState
from runner.model.stored import Version
from runner.model.task import Policy, ScheduleSpec, Task
from runner.store import catalogs, claims, endings, events, history, queue, remote
from runner.store.database import deciding
from runner.store.rows import contexts_row
from runner.store.session import Deciding
from runner.value import replace
from tests.support.postgres import Postgres, definitions, literal, needs_postgres, server, tables_in
from tests.support.project import MINUTE, NOON
from tests.support.statements import Asked, Noting, calls_not_made, texts_not_used

_HOUR = timedelta(hours=1)
_ONE, _TWO = "boot:1:first", "boot:2:second"
_OFTEN = Task(
    "often",
    ScheduleSpec("Europe/Berlin", 1, "minutes"),
    active=True,
    code="print('it')",
    code_line=5,
    timeout=_HOUR,
    kill_grace=MINUTE,
    context="django",
)
_DJANGO = Context("django", "../app", settings="ticketing.settings")
_STRICT = replace(_OFTEN, id="strict", context="", policy=Policy("allow", "all", MINUTE))


def _catalog(session: Deciding) -> None:
    """Put tasks in force, have others invalid, gone and renamed, and ask for them."""
    catalogs.set_source(
        session,
        replace(
            catalogs.source(session),
            commit="c1",
            require_signed=True,
            fetch_every=60_000,
            contexts=contexts_row((_DJANGO,)),
        ),
    )
    often, _ = (_added(session, task) for task in (_OFTEN, _STRICT))
    catalogs.add_version(session, "blob of often", "", _OFTEN)
    for task_id in ("broken", "gone", "old"):
        catalogs.add_task(session, task_id, "blob of broken", None, TaskState())
    catalogs.put_in_force(session, 5, "old", "blob of often", often, TaskState())
    catalogs.degrade(session, 5, "blob of old", "c1", "c2")
    catalogs.set_blob(session, 3, "blob of broken, still")
    catalogs.add_tried(session, "tried")
    catalogs.add_task(session, "tried", "blob of broken", None, TaskState())
    catalogs.retire(session, 4)
    catalogs.add_tried(session, "new")
    catalogs.rename_task(session, "old", "new")
    problem = Problem("tasks/broken.yaml", 1, 2, "yaml", "error", "it's ☃")
    catalogs.set_problems(session, [problem.file], [problem])
    catalogs.known_blobs(session, "", ["blob of often", "another"])
    catalogs.known_blobs(session, "", map(str, range(1000)))
    catalogs.load_task(session, 1, "often")
    list(catalogs.stored_tasks(session))
    for ask in (
        catalogs.present_blobs,
        catalogs.has_tasks,
        catalogs.has_refused,
        catalogs.sandbox,
        catalogs.count_free,
        queue.waiting_for_packages,
        catalogs.problems,
        catalogs.next_slot,
    ):
        ask(session)
    catalogs.is_present(session, "gone")
    catalogs.others_due(session, 1, NOON, NOON + MINUTE)


def _added(session: Deciding, task: Task) -> Version:
    blob = f"blob of {task.id}"
    catalogs.add_version(session, blob, "", task)
    version = catalogs.version_of(session, blob, "")
    assert version is not None
    catalogs.add_task(session, task.id, blob, version, TaskState(NOON, NOON, next_slot=NOON))
    return version


def _decide(session: Deciding) -> None:
    """Decide slots: start, skip, skip another one behind the same run."""
    claims.set_clock(session, claims.Clock(NOON, NOON + _HOUR))
    claims.clock_of(session)
    claims.set_zone_files(session, "Europe/Berlin 1")
    claims.zone_files(session)
    claims.zones_in_use(session)
    list(claims.planned_tasks(session))
    (often, _) = claims.due_tasks(session, NOON, None)
    state = replace(
        often.state, wall=NOON.replace(tzinfo=None), resumed_at=NOON, last_run_slot=NOON, next_slot=NOON + MINUTE
    )
    claims.record(session, often, TaskDecision((Decision(START, NOON, "schedule", "due"),), state), NOON)
    behind = [Decision(SKIP, NOON + n * MINUTE, "schedule", "run 1 is under way", 0, 1) for n in (1, 2, 2)]
    claims.record(session, often, TaskDecision(tuple(behind), state), NOON + 2 * MINUTE)
    (strict,) = claims.due_tasks(session, NOON, frozenset({"strict"}))
    slots = [Decision(START, NOON + n * MINUTE, "schedule", "due", due_at=NOON + n * MINUTE) for n in range(3)]
    claims.record(session, strict, TaskDecision(tuple(slots), strict.state), NOON)
    by_hand = claims.RunRequest(strict.key, strict.version, strict.commit)
    claims.claim_by_hand(session, by_hand, _TWO, NOON)
    claims.claim_by_hand(session, replace(by_hand, replayed=1, scheduled_for=NOON), _TWO, NOON)
    claims.runs_under_way(session, often.key)
    claims.start_by(session, NOON)


def _end(
    run: int, attempt: int, owner: str | None, status: str, retry_at: datetime | None = None
) -> endings.AttemptEnd:
    error = None if status == "succeeded" else RunError("ValueError", "it's \\ odd", "tasks/often.yaml", 5)
    code = None if error else 0
    result = AttemptResult(status, NOON, NOON + MINUTE, None, code, None, error, "Traceback", b"\0'\\\xff", 3)
    result = replace(result, context=ContextUse("django", 0.25, 47_000_000, "c1"), rehearsal='{"changes": []}')
    return endings.AttemptEnd(run, attempt, owner, result, status, retry_at)


def _run(session: Deciding) -> None:
    """Take runs from the queue, and have each of them end in another way."""
    queue.run_settings(session)
    queue.next_due(session)
    queue.next_due(session, frozenset({"often", "strict"}))
    late = NOON + 10 * MINUTE
    queue.take(session, _ONE, NOON + 3 * MINUTE, 1, frozenset({"often"}), {"django": 0})
    queue.take(session, _ONE, NOON + 3 * MINUTE, 1, frozenset({"often"}), {"django": 5})
    endings.record_start(session, _ONE, 1, 1, NOON, _HOUR)
    endings.end_attempt(session, _end(1, 1, _ONE, "failed", NOON + MINUTE))
    queue.take(session, _ONE, late, 9)
    endings.record_start(session, _ONE, 1, 2, late, _HOUR)
    queue.owned_runs(session)
    queue.is_under_way(session, 1, 2)
    queue.ask_to_end(session, 1, "cancelled by hand", late)
    queue.owners_asked(session)
    queue.asked_to_end(session, _ONE)
    endings.end_attempt(session, _end(1, 2, _TWO, "succeeded"))
    endings.end_attempt(session, _end(1, 2, _ONE, "succeeded"))
    for run in (6, 7):
        queue.release(session, _TWO, [(run, 1)], late)
    queue.ask_to_end(session, 6, "cancelled by hand", late)
    events.note(session, "clock", NOON, detail="set back")
    events.note(session, "degraded", NOON, task=1, commit="c2")
    events.of_task(session, 1)
    events.of_clock(session, NOON)


def _fetch(session: Deciding) -> None:
    remote.note_try(session, NOON)
    remote.note_failure(session, NOON, "no route")
    remote.note_stuck(session, NOON, "no such ref")
    remote.load(session)
    remote.note_fetched(session, NOON)
    remote.note_stuck(session, NOON, None)


def _look_back(session: Deciding) -> None:
    """Ask for what has happened."""
    for task, status, limit in ((None, None, None), ("often", "succeeded", 1), ("often", None, None)):
        history.find_runs(session, task, status, limit)
    for word in ("running", "retrying", "waiting", "failed"):
        history.shown_runs(session, "often", word, 9, NOON, NOON + MINUTE)
    history.runs_by_id(session, [1, 2])
    history.last_runs(session)
    list(catalogs.listed_tasks(session))
    history.last_run(session, "often")
    for ask in (history.progress, history.run_details, history.stretch, history.version_of):
        ask(session, 1)
    history.output(session, 1, 1)
    for near in (history.run_at, history.run_after):
        near(session, 1, NOON)
    history.decided_before(session, NOON + MINUTE)
    history.streak(session, "often")
    list(history.runs_of_slots(session, NOON))
    list(history.runs_of_slots(session, NOON, "often"))
    history.counts_since(session, NOON)


_STORIES: tuple[Callable[[Deciding], None], ...] = (_catalog, _decide, _run, _fetch, _look_back)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[Asked]]:
    """The tables of a new store in PostgreSQL, and the statements that the stories run on it, with their results."""
    path = str(tmp_path_factory.mktemp("store") / "runner.db")
    with deciding(path):
        pass  # that makes it
    with closing(Noting(path)) as connection:
        made, names = list(definitions(connection)), tables_in(connection)
        connection.asked.clear()
        session = Deciding(connection)
        for story in _STORIES:
            story(session)
        for name in names:
            session.query(f"SELECT * FROM {name}")  # noqa: S608 - a name of ours
        return made, connection.asked


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


def test_the_stories_run_every_statement_of_the_store(told: tuple[list[str], list[Asked]]) -> None:
    _, asked = told

    assert calls_not_made(asked) == []
    assert texts_not_used(asked) == []


@needs_postgres
def test_postgresql_reads_every_statement_and_answers_as_sqlite_does(
    told: tuple[list[str], list[Asked]], postgres: Postgres
) -> None:
    made, asked = told
    done = postgres.run("\n".join([*_SETTINGS, *(f"{statement};" for statement in made), *_prepared(asked)]))

    assert done.returncode == 0, done.stderr
    for it, answer in zip(asked, done.stdout.split(f"{_MARK}\n")[1:], strict=True):
        found = [[_TRUTH.get(cell, cell) for cell in row.split(_BETWEEN)] for row in answer.splitlines()]
        expected = [[_shown(value) for value in row] for row in it.answer]
        in_order = list if "ORDER BY" in it.sql else sorted
        assert in_order(found) == in_order(expected), (it.sql, it.values)


_MARK, _NULL, _BETWEEN = "<answer>", "<null>", "<and>"
_SETTINGS = (rf"\pset null {_NULL}", rf"\pset fieldsep '{_BETWEEN}'")
#: What psql shows of a boolean → SQLite's number for it. To Python they are equal.
_TRUTH = {"t": "1", "f": "0"}


def _prepared(asked: list[Asked]) -> Iterator[str]:
    """Yield what psql is to run: every statement prepared, then each that was asked, with its values."""
    names = {sql: f"statement_{number}" for number, sql in enumerate(dict.fromkeys(it.sql for it in asked))}
    for sql, name in names.items():
        yield f"PREPARE {name} AS {_numbered(sql)};"
    for it in asked:
        values = f"({', '.join(map(literal, it.values))})" if it.values else ""
        yield f"\\echo {_MARK}\nEXECUTE {names[it.sql]} {values};"


def _numbered(sql: str) -> str:
    """Return a statement with the marks that PostgreSQL knows: $1, $2 … for each ?."""
    first, *others = sql.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))


def _shown(value: object) -> str:
    """Return a value of SQLite as psql shows it."""
    if value is None:
        return _NULL
    return rf"\x{value.hex()}" if isinstance(value, bytes) else str(value)
