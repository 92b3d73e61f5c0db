"""Events: what happened is on record once, in the transaction that makes it true, in words that the documents know."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from runner.model import event
from tests.support.processes import background
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

_GLOSSARY = Path(__file__).parents[2] / "docs/glossary.md"
_WORDS = {word for name, word in vars(event).items() if name.isupper()}


def _of_runs(project: Project, task: str) -> list[tuple[int, str, int | None]]:
    """Return the run, kind and attempt of each event of a task's runs, in order."""
    sql = """SELECT e.run, e.kind, e.attempt FROM events e JOIN runs r ON r.id = e.run JOIN tasks t ON t.key = r.task
             WHERE t.id = ? ORDER BY e.id"""
    with project.database() as database:
        return [tuple(row) for row in database.execute(sql, (task,))]


def _of_task(project: Project, task: str) -> list[str]:
    sql = "SELECT kind FROM events WHERE run IS NULL AND task = (SELECT key FROM tasks WHERE id = ?) ORDER BY id"
    with project.database() as database:
        return [kind for (kind,) in database.execute(sql, (task,))]


def test_the_glossary_has_every_word_of_an_event_and_no_other() -> None:
    _, _, section = _GLOSSARY.read_text().partition("## Events")
    assert {word for word in section.split("`") if word.isidentifier() and word.islower()} >= _WORDS
    assert all(f"`{word}`" in section for word in _WORDS)


def test_the_story_of_a_run_is_told_by_its_events(project: Project) -> None:
    project.task("fine")
    project.task("fails", "raise SystemExit(3)", retry={"attempts": 2, "delay": "0s"})
    project.commit()
    project.tick(NOON)

    assert [(kind, attempt) for _, kind, attempt in _of_runs(project, "fine")] == [
        ("claimed", None),
        ("started", 1),
        ("ended", 1),
    ]
    assert [(kind, attempt) for _, kind, attempt in _of_runs(project, "fails")] == [
        ("claimed", None),
        ("started", 1),
        ("retried", 1),
        ("started", 2),
        ("ended", 2),
    ]


def test_a_run_that_has_ended_has_one_event_that_says_so_and_one_that_has_not_has_none(project: Project) -> None:
    project.task("often")
    project.task("slow", "import time\ntime.sleep(600)", cron="0 12 * * *")
    project.commit()
    project.tick(NOON - MINUTE)
    with background(project, "tick", now=NOON) as tick:
        wait_until(lambda: [run.started_at for run in project.runs("slow")] not in ([], [None]), "the start")
        project.tick(NOON + MINUTE)
        ends = Counter(run for run, kind, _ in _of_runs(project, "slow") if kind in {"ended", "skipped"})
        assert not ends
        [slow] = project.runs("slow")
        assert project.runner("cancel", str(slow.run_id)).returncode == 0
        tick.wait()
    project.tick(NOON + 10 * MINUTE)
    wait_until(lambda: all(run.status != "running" for run in project.runs()), "the ends")

    events = [*_of_runs(project, "often"), *_of_runs(project, "slow")]
    ends = Counter(run for run, kind, _ in events if kind in {"ended", "skipped"})
    assert ends == Counter(run.run_id for run in project.runs())
    assert [kind for _, kind, _ in _of_runs(project, "slow")] == ["claimed", "started", "cancel_asked", "ended"]


def test_what_becomes_of_a_task_by_a_commit_is_told_in_order(project: Project) -> None:
    project.task("other", cron="0 0 1 1 *")
    for change in (
        {"active": True},
        {"active": False},
        {"active": True},
        {"unknown": 1},
        {"active": True},
        None,
        {"active": True},
    ):
        if change is None:
            (project.root / "tasks/it.yaml").unlink()
        else:
            project.task("it", cron="0 0 1 1 *", **change)
        project.commit()
        project.tick(NOON)

    assert _of_task(project, "it") == [
        *("added", "deactivated", "changed", "activated", "changed"),
        *("degraded", "recovered", "removed", "returned"),
    ]


def test_a_decision_that_is_rolled_back_leaves_no_event(project: Project) -> None:
    project.task("often")
    project.commit()
    project.tick(NOON)
    with project.database() as database, database:
        # A claim that the database refuses at its end, as a full disk would.
        database.execute(
            "CREATE TRIGGER refuse AFTER INSERT ON events WHEN NEW.kind = 'claimed' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    before = len(_of_runs(project, "often"))

    assert project.runner("tick", now=NOON + MINUTE).returncode == 1
    assert len(_of_runs(project, "often")) == before
    assert len(project.runs("often")) == 1
    with project.database() as database, database:
        database.execute("DROP TRIGGER refuse")
    project.tick(NOON + MINUTE)
    assert [kind for _, kind, _ in _of_runs(project, "often")][before:] == ["claimed", "started", "ended"]
