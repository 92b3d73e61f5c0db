"""`runner plan`: what a change means, before it is merged. It has to come true."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from runner.clock import iso
from runner.execution.supervising.removal import remove_folder
from runner.model.attempt_result import AttemptResult
from runner.model.change import Plan, TaskChange
from runner.operations.asking import run_history
from runner.operations.reviewing import plan as plans
from runner.operations.reviewing.plan_inputs import plan_inputs
from runner.operations.ticking.tick import Request, decide
from runner.store import queue
from runner.store.catalogs import find_task
from runner.store.database import deciding, reading
from runner.store.endings import AttemptEnd, end_attempt
from tests.support.project import MINUTE, NOON, Project, task_text

_TEN = 10


def _plan(project: Project, base: str | None = None, head: str | None = None, now: datetime = NOON) -> Plan:
    compared = plan_inputs(project.workspace, {}, base, head, NOON)
    return plans.plan(project.workspace, compared, now, _TEN)


def _only(plan: Plan) -> TaskChange:
    [change] = plan.tasks
    return change


@cache
def _tasks_at(project: Project, head: str) -> frozenset[str]:
    """Return the ids of the tasks that a commit has, by what the file of HEAD says."""
    assert head
    paths = project.git("ls-tree", "-r", "--name-only", "HEAD", "--", "tasks").splitlines()
    return frozenset(path.removeprefix("tasks/").removesuffix(".yaml") for path in paths)


def _decide(project: Project, now: datetime, only: frozenset[str] | None = None) -> None:
    """Tick as far as decisions go; what was started has succeeded at once."""
    project.state.mkdir(exist_ok=True)
    chosen = None if only is None else only & _tasks_at(project, (project.root / ".git/HEAD").read_text())
    decide(project.workspace, now, Request(chosen), lambda: None)
    with deciding(project.workspace.database) as session, session.transaction(durable=False):
        for job in queue.take(session, "nobody:1:1", now, 1000).jobs:
            result = AttemptResult("succeeded", now, now, exit_code=0)
            end_attempt(session, AttemptEnd(job.run_id, 1, "nobody:1:1", result, None))


@pytest.fixture
def running(project: Project) -> Project:
    """A project with one task of every quarter of an hour, first run at noon."""
    project.task("sync", frequency=15, unit="minutes")
    project.commit()
    _decide(project, NOON)
    return project


class _History:
    """Two hundred commits of changes, made by chance from a seed; `now` goes on with them."""

    def __init__(self, project: Project, seed: int) -> None:
        self._project = project
        self._chance = random.Random(seed)
        self._texts: dict[str, str] = {}
        self._number = 0

    def make(self, count: int) -> list[str]:
        """Make so many commits; return them."""
        for _ in range(4):
            self._add()
        made = [self._project.commit()]
        while len(made) < count:
            before = self._project.git("status", "--porcelain")
            for _ in range(self._chance.choice((1, 1, 2))):
                self._chance.choice(
                    (
                        self._add,
                        self._rename,
                        self._speed,
                        self._code,
                        self._toggle,
                        self._break,
                        self._revert,
                        self._gone,
                    )
                )()
            if self._project.git("status", "--porcelain") != before:
                made.append(self._project.commit())
        return made

    def _write(self, name: str, text: str) -> None:
        self._texts[name] = text
        self._project.write(f"tasks/{name}.yaml", text)

    def _some(self) -> str:
        return self._chance.choice(sorted(self._texts))

    def _keys(self) -> dict[str, object]:
        chance = self._chance
        kinds: tuple[dict[str, object], ...] = (
            {"frequency": chance.randint(1, 9), "unit": "minutes"},
            {"frequency": chance.randint(1, 5), "unit": "hours"},
            {
                "frequency": chance.randint(1, 3),
                "unit": "days",
                "start": "2026-05-01 02:30",
                "timezone": "Europe/Paris",
            },
            {"cron": f"{chance.randint(0, 59)} */{chance.randint(1, 6)} * * *", "timezone": "America/New_York"},
            {"rrule": f"FREQ=DAILY;BYHOUR={chance.randint(0, 23)};BYMINUTE=5", "start": "2026-05-01 00:00"},
        )
        return chance.choice(kinds)

    def _add(self) -> None:
        self._number += 1
        self._write(f"task-{self._number}", task_text(f"print({self._number})", **self._keys()))

    def _rename(self) -> None:
        old = self._some()
        self._number += 1
        text = self._texts.pop(old)
        (self._project.root / f"tasks/{old}.yaml").unlink()
        self._write(f"moved/task-{self._number}", text + self._chance.choice(("", "# moved\n")))

    def _speed(self) -> None:
        self._write(self._some(), task_text(f"print({self._chance.random()})", **self._keys()))

    def _code(self) -> None:
        name = self._some()
        self._write(name, self._texts[name] + f"  x = {self._chance.random()}\n")

    def _toggle(self) -> None:
        name = self._some()
        text = self._texts[name]
        old, new = ("active: true", "active: false")[:: self._chance.choice((1, -1))]
        self._write(name, text.replace(old, new))

    def _break(self) -> None:
        name = self._some()
        self._project.write(f"tasks/{name}.yaml", self._texts[name].replace("active:", "actve:"))

    def _revert(self) -> None:
        name = self._some()
        self._write(name, self._texts[name])

    def _gone(self) -> None:
        if len(self._texts) > 3:
            name = self._some()
            del self._texts[name]
            (self._project.root / f"tasks/{name}.yaml").unlink()


def _copy(project: Project, name: str) -> Project:
    """Return the project with a state of its own, as it is now."""
    state = project.state.parent / name
    remove_folder(str(state))
    shutil.copytree(project.state, state)
    return Project(project.root, state)


def _starts_after(project: Project, now: datetime, predicted: dict[str, list[datetime]]) -> dict[str, list[datetime]]:
    """Tick those tasks now and at every predicted instant; return what then has started of them.

    A slot between two of them would be caught up by the later one, and so be another one than was predicted.
    """
    with project.database() as database:
        [done] = database.execute("SELECT coalesce(max(id), 0) FROM runs").fetchone()
    for moment in sorted({now, *(max(now, at) for starts in predicted.values() for at in starts)}):
        _decide(project, moment, frozenset(predicted))
    return {task: _started(project, task, done, len(starts)) for task, starts in predicted.items()}


def _started(project: Project, task: str, after: int, count: int) -> list[datetime]:
    """Return the slots of the first runs of a task after a run; of all of them where none was predicted."""
    with reading(project.workspace.database) as session:
        if find_task(session, task) is None:
            return []
    runs = [run for run in run_history.history(project.workspace, task, "succeeded", 100) if run.run_id > after]
    return [run.scheduled_for for run in reversed(runs) if run.scheduled_for][: count or None]


def _predicted(plan: Plan, side: str) -> dict[str, list[datetime]]:
    found = {}
    for change in plan.tasks:
        forecast = getattr(change, side)
        name = (change.old_id or change.id) if side == "before" else change.id
        found[name] = [] if forecast is None else list(forecast.starts)
    return found


@pytest.fixture
def quick(project: Project) -> Iterator[Project]:
    """The project, with its state in memory where that is possible, so that thousands of ticks wait for no disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Project(project.root, Path(folder) / "state")


@pytest.mark.timeout(600)  # it takes a minute on a quiet machine
def test_over_two_hundred_commits_the_first_ten_starts_that_a_plan_predicts_are_those_that_happen(
    quick: Project,
) -> None:
    project, seed = quick, 44
    commits = _History(project, seed).make(200)
    chance = random.Random(seed)
    now = NOON
    project.git("checkout", "--quiet", "--detach", commits[0])
    _decide(project, now)
    compared = 0
    for number, (base, head) in enumerate(pairwise(commits)):
        now += timedelta(minutes=chance.choice((0, 1, 7, 61)))
        plan = _plan(project, base, head, now)
        before, after = (_predicted(plan, side) for side in ("before", "after"))

        if number % 4 == 0:  # the same code predicts both sides, and each start takes a tick
            assert _starts_after(_copy(project, "before"), now, before) == before, (seed, base, head)
            compared += len(before)
        project.git("update-ref", "--no-deref", "HEAD", head)
        assert _starts_after(_copy(project, "after"), now, after) == after, (seed, base, head)

        compared += len(after)
        _decide(project, now)

    assert compared > 200


def test_nothing_is_written_and_nothing_runs(running: Project) -> None:
    running.task("sync", frequency=5, unit="minutes")
    before = {path: path.read_bytes() for path in running.state.rglob("*") if path.is_file() and path.suffix == ".db"}

    assert running.runner("plan", now=NOON + 4 * MINUTE).returncode == 0
    assert {path: path.read_bytes() for path in before} == before


def test_a_changed_frequency_shows_the_next_starts_before_and_after(running: Project) -> None:
    running.task("sync", frequency=5, unit="minutes")
    change = _only(_plan(running, now=NOON + 4 * MINUTE))

    assert change.kinds == ("changed",)
    assert [(it.name, it.before, it.after) for it in change.fields] == [
        ("schedule", "every 15 minutes", "every 5 minutes")
    ]
    noon = NOON.replace(microsecond=0)
    assert change.before is not None
    assert change.after is not None
    assert change.before.starts is not None
    assert change.after.starts is not None
    assert change.before.starts[:2] == (noon + 15 * MINUTE, noon + 30 * MINUTE)
    assert change.after.starts[:2] == (noon + 5 * MINUTE, noon + 10 * MINUTE)
    assert (change.before.a_day, change.after.a_day) == (96, 288)
    assert change.at_once.answer is False


def test_a_new_task_without_start_starts_at_once_and_one_with_a_clock_time_does_not(running: Project) -> None:
    running.task("new", frequency=1, unit="hours")
    running.task("later", cron="0 3 * * *")
    later, new = _plan(running).tasks

    assert (new.id, new.kinds, new.at_once.answer) == ("new", ("added",), True)
    assert "first seen" in new.at_once.why
    assert (later.id, later.at_once.answer) == ("later", False)


def test_without_any_state_what_hangs_on_the_past_is_not_known_and_what_does_not_is(running: Project) -> None:
    running.task("sync", frequency=5, unit="minutes")
    running.task("new", cron="0 3 * * *")
    remove_folder(str(running.state))
    plan = _plan(running, "HEAD")
    new, sync = plan.tasks

    assert not plan.knows_state
    assert sync.before is not None
    assert sync.before.starts is None
    assert sync.at_once.answer is None
    assert new.after is not None
    assert new.after.starts
    assert "No state is known here" in running.runner("plan", "HEAD").stdout


def test_what_the_code_may_touch_is_named_when_it_changes(running: Project) -> None:
    running.task(
        "sync",
        "import smtplib, os.path\nfrom email.message import Message",
        frequency=15,
        unit="minutes",
        secrets=["SMTP_PASSWORD"],
        env={"HOST": "mail"},
        limits={"memory": "64M"},
    )
    change = _only(_plan(running))

    assert {it.kind: it.gained for it in change.capabilities} == {
        "secrets": ("SMTP_PASSWORD",),
        "env": ("HOST",),
        "imports": ("email", "os", "smtplib"),
        "limits": ("memory 64M",),
    }


def test_a_renamed_task_keeps_its_slots_and_is_one_change(running: Project) -> None:
    running.git("mv", "tasks/sync.yaml", "tasks/other.yaml")
    running.commit()
    change = _only(_plan(running, "HEAD^", "HEAD"))

    assert (change.id, change.old_id, change.kinds) == ("other", "sync", ("renamed",))
    assert change.before is not None
    assert change.after is not None
    assert change.before.starts == change.after.starts


def test_activation_and_deactivation_are_called_so(running: Project) -> None:
    running.task("sync", frequency=15, unit="minutes", active=False)
    off = _only(_plan(running))
    running.commit()
    _decide(running, NOON + MINUTE)
    running.task("sync", frequency=15, unit="minutes")
    on = _only(_plan(running, now=NOON + 2 * MINUTE))

    assert (off.kinds, off.at_once.answer) == (("deactivated",), False)
    assert on.kinds == ("activated",)
    assert off.after is not None
    assert off.after.starts == ()


def test_a_file_that_breaks_is_a_problem_and_its_last_valid_version_goes_on(running: Project) -> None:
    running.write("tasks/sync.yaml", "frequency: 5\n")
    done = running.runner("plan", "--json", now=NOON + MINUTE)
    plan = json.loads(done.stdout)
    [change] = plan["tasks"]

    assert done.returncode == 1
    assert change["kinds"] == ["broken"]
    assert change["before"] == change["after"]
    assert "last valid version stays in use" in change["notes"][0]
    assert {problem["file"] for problem in plan["problems"]} == {"tasks/sync.yaml"}


def test_the_exit_code_tells_changes_from_none_where_asked(running: Project) -> None:
    assert running.runner("plan", "--exit-code").returncode == 0
    running.task("more", frequency=1, unit="hours")
    assert running.runner("plan", "--exit-code").returncode == 2
    assert running.runner("plan").returncode == 0


@pytest.mark.parametrize(
    ("keys", "now", "words"),
    [
        (
            {"cron": "30 2 * * *", "timezone": "Europe/Berlin"},
            "2027-03-01T00:00:00+00:00",
            "02:30 does not exist on 2027-03-28: it starts at 03:00",
        ),
        (
            {"frequency": 1, "unit": "days", "start": "2026-01-01 02:30", "timezone": "Europe/Berlin"},
            "2027-03-01T00:00:00+00:00",
            "02:30 does not exist on 2027-03-28: it starts at 03:30",
        ),
        (
            {"frequency": 6, "unit": "hours", "timezone": "Europe/Berlin"},
            "2026-10-01T00:00:00+00:00",
            "it runs by elapsed time: from 2026-10-25 on it starts an hour earlier by the clock of Europe/Berlin",
        ),
    ],
    ids=["cron", "wall clock", "elapsed"],
)
def test_a_night_within_sixty_days_that_moves_a_task_is_noted(
    running: Project, keys: dict[str, Any], now: str, words: str
) -> None:
    running.task("new", **keys)
    change = next(it for it in _plan(running, now=datetime.fromisoformat(now)).tasks if it.id == "new")

    assert change.notes == (words,)


def test_tasks_that_no_night_moves_have_no_note(running: Project) -> None:
    running.task("quarter", frequency=15, unit="minutes", timezone="Europe/Berlin")
    running.task("noon", cron="0 12 * * *", timezone="Europe/Berlin")
    running.task("utc", cron="30 2 * * *")

    plan = _plan(running, now=datetime.fromisoformat("2027-03-01T00:00:00+00:00"))
    assert [change.notes for change in plan.tasks] == [(), (), ()]


def test_many_tasks_in_the_same_minute_are_pointed_out(running: Project) -> None:
    for number in range(6):
        running.task(f"night-{number}", cron="0 3 * * *")
    running.commit()
    _decide(running, NOON + MINUTE)
    running.task("one-more", cron="0 3 * * *")

    change = _only(_plan(running, now=NOON + 2 * MINUTE))
    assert change.notes == ("6 other tasks are due in the minute of its next start; at most 4 run at once",)


def test_one_task_in_the_same_minute_is_counted_in_the_singular(running: Project) -> None:
    running.write("runner.yaml", "max_parallel: 1\n")
    running.task("night", cron="0 3 * * *")
    running.commit()
    _decide(running, NOON + MINUTE)
    running.task("one-more", cron="0 3 * * *")

    change = _only(_plan(running, now=NOON + 2 * MINUTE))
    assert change.notes == ("1 other task is due in the minute of its next start; at most 1 run at once",)


def test_settings_that_change_are_shown_and_so_are_the_tasks_that_defaults_reach(running: Project) -> None:
    running.write("runner.yaml", "max_parallel: 2\ndefaults:\n  timeout: 5m\n")
    plan = _plan(running)

    assert [(it.name, it.before, it.after) for it in plan.settings] == [("max_parallel", "4", "2")]
    assert [(it.name, it.before, it.after) for it in _only(plan).fields] == [("timeout", "1h", "5m")]


def test_a_branch_that_is_behind_is_compared_from_where_it_began(running: Project) -> None:
    running.git("checkout", "--quiet", "-b", "work")
    running.task("mine", frequency=1, unit="hours")
    running.commit()
    running.git("checkout", "--quiet", "main")
    running.task("theirs", frequency=1, unit="hours")
    running.commit()
    plan = _plan(running, "main", "work")

    assert [change.id for change in plan.tasks] == ["mine"]
    assert plan.remarks[0].startswith("main has newer commits")


def test_in_ci_the_branch_to_go_into_is_compared_with_head(running: Project) -> None:
    running.git("update-ref", "refs/remotes/origin/trunk", "HEAD")
    running.task("more", frequency=1, unit="hours")
    running.commit()
    plan = json.loads(running.runner("plan", "--json", env={"CI": "true", "GITHUB_BASE_REF": "trunk"}).stdout)

    assert (plan["base"]["name"], plan["head"]["name"]) == ("origin/trunk", "HEAD")
    assert [change["task"] for change in plan["tasks"]] == ["more"]


def test_a_commit_that_is_not_there_is_said_with_what_to_do(running: Project) -> None:
    done = running.runner("plan", "origin/main")

    assert done.returncode == 2
    assert done.stderr.startswith("error: there is no commit 'origin/main' in this clone\nhint: fetch it first")


def test_json_has_the_instants_in_utc(running: Project) -> None:
    running.task("new", cron="0 3 * * *", timezone="Europe/Berlin")
    plan = running.json("plan", now=NOON)

    assert plan["at"] == iso(NOON)
    assert plan["tasks"][0]["after"]["starts"][0] == "2026-06-11T01:00:00Z"


_HOSTILE = "| <img src=x> ``` *bold* [link](http://x) #1"


@pytest.fixture
def hostile(running: Project) -> str:
    """The Markdown of a change whose texts are full of Markdown and HTML."""
    running.task("new", f"print({_HOSTILE!r})\n# ````", cron="0 3 * * *", description=_HOSTILE)
    return running.runner("plan", "--format", "markdown").stdout


def test_in_markdown_nothing_that_a_task_says_is_markup(hostile: str) -> None:
    outside = hostile.partition("<details>")[0]

    assert "<img" not in outside.replace("\\<img", "")
    assert "\\[link\\]" in outside
    assert "\n`````diff\n" in hostile


def test_markdown_folds_the_code_and_says_the_rest_openly(hostile: str) -> None:
    outside = hostile.partition("<details>")[0]

    assert outside.startswith("<!-- runner plan -->\n### 1 task added\n")
    assert "**Starts at once on merge?** no" in outside
    assert "**Runs a day:** 1" in outside
    assert "Next: Thu 2026" in outside or "Next: " in outside
    assert "print(" not in outside


def test_a_task_folder_below_the_top_of_the_repository_is_planned_too(tmp_path: Path) -> None:
    top = Project.create(tmp_path / "top")
    inner = Project(top.root / "jobs", tmp_path / "state")
    inner.task("one", frequency=1, unit="hours")
    top.commit()
    inner.task("two", frequency=1, unit="hours")

    assert [change["task"] for change in inner.json("plan", now=NOON)["tasks"]] == ["two"]
