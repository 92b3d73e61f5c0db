"""Ticks that follow HEAD name its branch, and warn after a switch; ticks that follow a named ref ignore a switch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.support.project import MINUTE, NOON, Project

_WARNING = "warning: HEAD was moved from main to feature (seen 2026-06-10 12:01 UTC): the tasks of feature run"


@pytest.fixture
def on_main(project: Project) -> Project:
    project.task("daily", "print('main')", cron="0 0 * * *")
    project.commit()
    project.runner("tick", now=NOON)
    return project


def _said(project: Project, minutes: float, *words: str) -> str:
    done = project.runner(*(words or ("tick",)), now=NOON + minutes * MINUTE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _switch(project: Project) -> None:
    project.git("checkout", "--quiet", "-b", "feature")


def _switch_and_commit(project: Project) -> None:
    _switch(project)
    project.task("unreviewed", "print('feature')")
    project.commit()


@pytest.mark.parametrize("switch", [_switch, _switch_and_commit], ids=["the same commit", "another commit"])
@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_the_tick_after_a_switch_of_branches_says_so_loudly_and_status_for_a_day(
    on_main: Project, switch: Callable[[Project], None], *, packed: bool
) -> None:
    switch(on_main)
    if packed:
        on_main.git("pack-refs", "--all")

    assert _WARNING in _said(on_main, 1).splitlines()
    assert _said(on_main, 2, "status").startswith("HEAD was moved from main to feature, whose tasks run")
    assert "hint: `git switch main` goes back" in _said(on_main, 3, "status").replace("\n", " ")
    assert "HEAD was moved" not in _said(on_main, 25 * 60, "status")


def test_every_tick_names_the_branch(on_main: Project) -> None:
    assert _said(on_main, 1).startswith("[main] nothing due; next: daily at 2026-06-11 00:00 UTC")

    _switch(on_main)
    _said(on_main, 2)

    assert _said(on_main, 3).startswith("[feature] nothing due")
    assert on_main.json("status", now=NOON + 4 * MINUTE)["branch"] == "feature"


def test_status_says_before_any_tick_that_another_branch_runs_from_now_on(on_main: Project) -> None:
    _switch_and_commit(on_main)

    assert "HEAD was moved from main to feature" in _said(on_main, 1, "status")
    assert on_main.json("status", now=NOON + MINUTE)["branch_before"] == "main"


def test_going_back_is_nothing_to_be_told_and_a_third_branch_is_compared_with_the_usual_one(on_main: Project) -> None:
    _switch(on_main)
    _said(on_main, 1)
    on_main.git("checkout", "--quiet", "-b", "another")

    assert "HEAD was moved from main to another" in _said(on_main, 2)
    on_main.git("checkout", "--quiet", "main")
    assert "HEAD was moved" not in _said(on_main, 3)
    assert "HEAD was moved" not in _said(on_main, 4, "status")


def test_a_branch_that_has_run_for_a_day_is_the_usual_one(on_main: Project) -> None:
    _switch(on_main)
    _said(on_main, 1)
    late = 25 * 60
    _said(on_main, late)
    on_main.git("checkout", "--quiet", "-b", "another")

    assert "HEAD was moved from feature to another" in _said(on_main, late + 1)


def test_a_detached_head_is_called_so(on_main: Project) -> None:
    on_main.git("checkout", "--quiet", "--detach")

    assert "warning: HEAD was moved from main to detached HEAD" in _said(on_main, 1)
    assert _said(on_main, 2).startswith("[detached HEAD] nothing due")


def test_a_linked_worktree_is_asked_of_git(on_main: Project) -> None:
    on_main.git("worktree", "add", "--quiet", "-b", "linked", str(on_main.root.parent / "linked"))
    linked = Project(on_main.root.parent / "linked", on_main.state)
    linked.task("unreviewed")
    linked.commit()

    assert "HEAD was moved from main to linked" in _said(linked, 1)


def test_where_a_branch_is_named_the_one_that_is_checked_out_does_not_matter(on_main: Project) -> None:
    on_main.write("runner.yaml", "git: {ref: main}\n")
    on_main.commit()
    _said(on_main, 1)
    _switch_and_commit(on_main)

    said = _said(on_main, 2)

    assert said.startswith("[main] nothing due; next: daily")
    assert "HEAD was moved" not in said + _said(on_main, 3, "status")
    assert on_main.json("status", now=NOON + 4 * MINUTE)["branch"] is None


@pytest.mark.parametrize("ticked", [False, True], ids=["before a tick", "after a tick"])
def test_a_plan_on_a_branch_compares_with_the_branch_that_ran_before(on_main: Project, *, ticked: bool) -> None:
    _switch_and_commit(on_main)
    if ticked:
        _said(on_main, 1)

    plan = on_main.json("plan", "--json", now=NOON + 2 * MINUTE)

    assert [(change["task"], change["kinds"]) for change in plan["tasks"]] == [("unreviewed", ["added"])]
    assert _said(on_main, 3, "plan").splitlines()[0].endswith("the work tree")


def test_a_branch_that_is_gone_is_no_base_of_a_plan(on_main: Project) -> None:
    _switch_and_commit(on_main)
    _said(on_main, 1)
    on_main.git("branch", "--delete", "--force", "main")

    assert on_main.json("plan", "--json", now=NOON + 2 * MINUTE)["tasks"] == []


def test_a_store_of_before_learns_its_branch_without_a_word(on_main: Project) -> None:
    with on_main.database() as store:
        store.execute("UPDATE catalog SET branch = NULL")
        store.commit()

    assert "warning" not in _said(on_main, 1)
    with on_main.database() as store:
        store.execute("UPDATE tasks SET next_due = next_due - 86400000, next_slot = next_slot - 86400000")
        store.commit()
    assert "warning" not in _said(on_main, timedelta(minutes=2) / MINUTE)
