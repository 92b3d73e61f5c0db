"""Trying the work tree: what a person runs so is in the history, and everything else is as if nobody had tried."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import MINUTE, NOON, RUNNER, Project, task_text
from tests.support.waiting import wait_until

_SLOT = NOON.replace(microsecond=0)
#: What tells one run of the same thing from another.
_OF_ONE_RUN = {"run_id", "started_at", "finished_at", "duration_seconds"}


def _new(project: Project) -> str:
    project.task("new", "print('new')", frequency=1, unit="days")
    return "new"


def _other_code(project: Project) -> str:
    project.task("hello", "print('edited')")
    return "hello"


def _other_schedule(project: Project) -> str:
    project.task("hello", frequency=5, unit="minutes")
    return "hello"


def _switched_off(project: Project) -> str:
    project.task("hello", active=False)
    return "hello"


def _removed(project: Project) -> str:
    (project.root / "tasks/hello.yaml").unlink()
    return "hello"


def _renamed(project: Project) -> str:
    (project.root / "tasks/hello.yaml").rename(project.root / "tasks/hi.yaml")
    return "hi"


def _invalid(project: Project) -> str:
    project.write("tasks/hello.yaml", "nonsense")
    return "hello"


def _new_and_invalid(project: Project) -> str:
    project.write("tasks/new.yaml", "nonsense")
    return "new"


def _mended(project: Project) -> str:
    project.task("broken", "print('mended')")
    return "broken"


def _other_settings(project: Project) -> str:
    project.write("runner.yaml", "timezone: Asia/Tokyo\nmax_parallel: 1\n")
    return "hello"


_EDITS = (
    *(_new, _other_code, _other_schedule, _switched_off, _removed, _renamed),
    *(_invalid, _new_and_invalid, _mended, _other_settings),
)
#: Ways to try a task, which is called `{}` here.
_WAYS = (
    ("run", "{}", "--worktree"),
    ("tick", "--worktree"),
    ("tick", "--worktree", "--task", "{}"),
    ("tick", "--dry-run", "--worktree"),
)


def _without_runs(value: Any) -> Any:
    """Return an answer without what differs between two runs of the same thing."""
    if isinstance(value, dict):
        return {name: _without_runs(item) for name, item in value.items() if name not in _OF_ONE_RUN}
    if isinstance(value, list):
        return [_without_runs(item) for item in value]
    return re.sub(r"\b([Rr]un) \d+", r"\1 N", value) if isinstance(value, str) else value


#: What the store has of tasks, to the minute, without what was run by hand.
_DECIDED = (
    """SELECT id, blob, valid_commit, invalid_commit, anchor, watermark, watermark_wall, resumed_at, last_run_slot,
       next_slot, next_due, next_local FROM tasks WHERE blob IS NOT NULL OR version IS NOT NULL ORDER BY id""",
    "SELECT * FROM problems ORDER BY file, line, code",
    """SELECT commit_id, head_id, ref, ref_path, settings_blob, settings_seen, head_settings, max_parallel,
       shutdown_grace, secrets_file, decided_at / 60000, clock_behind_until, zones FROM catalog""",
    """SELECT t.id, r."trigger", r.status, r.reason, r.scheduled_for, r.missed, r.commit_id, r.decided_at / 60000
       FROM runs r JOIN tasks t ON t.key = r.task WHERE r."trigger" <> 'manual' ORDER BY r.scheduled_for, t.id""",
    "SELECT t.id, e.at / 60000, e.kind, e.commit_id, e.detail FROM events e JOIN tasks t ON t.key = e.task ORDER BY e.id",
)


def _stored(project: Project) -> list[Any]:
    with project.database() as database:
        return [database.execute(sql).fetchall() for sql in _DECIDED]


def _answers(project: Project, *tasks: str) -> list[Any]:
    """Return what the store has and what commands say, without what was run by hand."""
    now = NOON + 4 * MINUTE
    said = [project.json(*words, now=now) for words in (["list"], ["next"], ["status"])]
    del said[-1]["last_decision_at"]  # to the millisecond, which is that of the machine
    whys = [project.runner("why", task, "--json", now=now) for task in tasks]
    return [*_stored(project), *map(_without_runs, said), *(_without_runs(done.stdout + done.stderr) for done in whys)]


def _lived(root: Path, edit: Callable[[Project], str], *, is_tried: bool) -> list[Any]:
    """Tick a repository for some minutes; where `is_tried`, also try an edit before the first tick and after one."""
    project = Project.create(root / "project")
    project.task("hello", "print('committed')")
    project.task("broken")
    project.task("daily", frequency=1, unit="days")
    project.commit()

    def try_it(minute: int) -> None:
        task = edit(project)
        for words in _WAYS if is_tried else ():
            done = project.runner(*(word.format(task) for word in words), now=NOON + minute * MINUTE)
            assert "Traceback" not in done.stderr
            assert done.returncode in {0, 1, 2}, done.stderr

    def go_back() -> None:
        project.git("checkout", "--quiet", "--", ".")
        project.git("clean", "--quiet", "--force", "-d")

    try_it(0)
    go_back()
    project.tick(NOON)
    project.write("tasks/broken.yaml", "nonsense")
    project.commit()
    project.tick(NOON + MINUTE)
    try_it(2)
    project.tick(NOON + 2 * MINUTE)
    answers = _answers(project, "hello", "new", "hi")
    project.commit()
    project.tick(NOON + 3 * MINUTE)
    return [*answers, *_stored(project)]


@pytest.mark.parametrize("edit", _EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_what_was_tried_changes_nothing_that_ticks_decide_or_questions_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Project], str]
) -> None:
    # The same commits in both repositories.
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2026-06-10T11:00:00Z")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-06-10T11:00:00Z")
    twin = _lived(tmp_path / "twin", edit, is_tried=False)

    for tried, not_tried in zip(_lived(tmp_path / "tried", edit, is_tried=True), twin, strict=True):
        assert tried == not_tried


def test_a_tick_of_the_work_tree_runs_what_is_due_by_its_files_as_runs_by_hand_as_often_as_it_is_asked(
    project: Project,
) -> None:
    project.task("hello", "print('committed')")
    project.task("later", cron="0 3 * * *")
    project.commit()
    project.tick(NOON)
    project.task("hello", "print('edited')")
    project.task("new", "print('new')")

    for _ in range(2):
        report = project.json("tick", "--worktree", now=NOON + MINUTE)
        assert report["commit"] == "worktree"
        started = {run["task"]: (run["trigger"], run["commit"], run["scheduled_for"]) for run in report["started"]}
        assert started == dict.fromkeys(("hello", "new"), ("manual", "worktree", None))
    [committed] = project.tick(NOON + MINUTE).started

    outputs = [project.show(run.run_id).output for run in project.runs()[1:]]
    assert sorted(outputs[:4]) == [b"edited\n"] * 2 + [b"new\n"] * 2
    assert (committed.scheduled_for, outputs[4:]) == (_SLOT + MINUTE, [b"committed\n"])


def test_a_tick_of_the_work_tree_in_which_nothing_is_due_writes_no_store(project: Project) -> None:
    project.task("later", active=False)

    done = project.runner("tick", "--worktree", now=NOON)

    assert (done.returncode, done.stdout) == (0, "nothing due; no slot is planned\n")
    assert not (project.state / "runner.db").exists()


def test_a_task_can_be_tried_before_the_first_commit(project: Project) -> None:
    project.task("hello", "print('hi')")

    done = project.runner("run", "hello", "--worktree", now=NOON)

    assert (done.returncode, done.stdout) == (0, "hi\n")


def test_what_is_only_tried_is_in_the_history_under_its_id_and_is_no_task(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick(NOON)
    path = project.task("new", "print('tried')")
    project.runner("run", "new", "--worktree", now=NOON)

    assert [run["commit"] for run in project.json("history", "new")] == ["worktree"]
    assert project.runner("logs", "new").stdout == "tried\n"
    assert project.json("why", "new", now=NOON)["cause"] == "not_yet_seen"
    path.unlink()
    for words in (["why", "new"], ["next", "new"], ["run", "new"], ["blame", "new"], ["tick", "--task", "new"]):
        done = project.runner(*words, now=NOON)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: there is no task new")
    [run] = project.json("history", "new")
    assert project.runner("replay", str(run["run_id"]), now=NOON).returncode == 0


def test_a_file_that_was_tried_under_its_new_name_is_renamed_with_all_of_its_history(project: Project) -> None:
    project.task("old", "print('it')")
    project.commit()
    project.tick(NOON)
    (project.root / "tasks/old.yaml").rename(project.root / "tasks/new.yaml")
    project.runner("run", "new", "--worktree", now=NOON)
    project.commit()

    project.tick(NOON + MINUTE)

    commits = [run["commit"] == "worktree" for run in project.json("history", "new")]
    assert commits == [False, True, False]


def test_blame_and_statistics_leave_out_what_was_tried(project: Project) -> None:
    project.task("hello", "print('fine')")
    project.commit()
    project.tick(NOON)
    before = project.json("status", now=NOON)
    project.task("hello", "raise ValueError('tried')")

    assert project.runner("run", "hello", "--worktree", now=NOON).returncode == 1
    project.git("checkout", "--quiet", ".")

    after = project.json("status", now=NOON)
    assert _without_runs(after) == _without_runs(before)
    assert project.runner("blame", "hello").returncode == 0
    [entry] = project.json("list", now=NOON)
    assert entry["last_run"]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "tasks/hello.yaml:1:1"),
        (task_text("print('oops'"), "tasks/hello.yaml:5"),
        (task_text(frequency=0, unit="days"), "tasks/hello.yaml:2"),
    ],
)
@pytest.mark.parametrize("was_valid", [True, False])
def test_a_file_that_is_not_valid_is_not_tried_and_its_first_problem_is_said(
    project: Project, text: str, said: str, *, was_valid: bool
) -> None:
    if was_valid:
        project.task("hello")
        project.commit()
        project.tick(NOON)
    project.write("tasks/hello.yaml", text)

    done = project.runner("run", "hello", "--worktree", now=NOON)

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the task hello cannot run: its file is not valid: {said}")
    assert done.stderr.splitlines()[1] == "hint: see `runner validate tasks/hello.yaml`"
    assert project.runner("tick", "--worktree", now=NOON + MINUTE).returncode == 0
    assert [run.trigger for run in project.runs()] == ["schedule"] * was_valid
    assert project.json("tick", "--dry-run", "--worktree", now=NOON + MINUTE)["due"] == []


@pytest.mark.parametrize("policy", ["forbid", "replace", "allow"])
def test_a_slot_starts_beside_a_trial_that_is_under_way_and_a_trial_ends_no_run(project: Project, policy: str) -> None:
    waits = "import pathlib, time\nwhile not pathlib.Path({path!r}).exists(): time.sleep(0.01)"
    end = project.root.parent / "end"
    project.task("hello", "print('committed')", concurrency_policy=policy)
    project.commit()
    project.task("hello", waits.format(path=str(end)), concurrency_policy=policy)
    trial = subprocess.Popen([RUNNER, "run", "hello", "--worktree"], cwd=project.root, env=project.environment(NOON))
    try:
        wait_until(lambda: (project.state / "runner.db").exists() and any(run.attempts for run in project.runs()))

        [started] = project.tick(NOON).started
        again = project.runner("tick", "--worktree", now=NOON) if policy != "allow" else None
    finally:
        end.touch()
        code = trial.wait(60)

    assert (started.trigger, started.status, code) == ("schedule", "succeeded", 0)
    assert again is None or (again.returncode == 0 and len(project.runs()) == 2)


@pytest.mark.parametrize("policy", ["forbid", "replace"])
def test_a_trial_does_not_end_a_run_that_is_under_way(project: Project, policy: str) -> None:
    end = project.root.parent / "end"
    code = f"import pathlib, time\nwhile not pathlib.Path({str(end)!r}).exists(): time.sleep(0.01)"
    project.task("hello", code, concurrency_policy=policy)
    project.commit()
    tick = subprocess.Popen([RUNNER, "tick"], cwd=project.root, env=project.environment(NOON))
    try:
        wait_until(lambda: (project.state / "runner.db").exists() and any(run.attempts for run in project.runs()))

        done = project.runner("run", "hello", "--worktree", now=NOON)
    finally:
        end.touch()
        tick.wait(60)

    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "error: the task hello is running already (run 1)")
    assert [run.status for run in project.runs()] == ["succeeded"]
