"""Every kind of change in a plan, by the real command: its name, its fields, its starts, what the code may touch."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.project import MINUTE, NOON, Project

pytestmark = pytest.mark.held
_DAILY: dict[str, Any] = {"cron": "0 3 * * *"}
_ALL = ["active", "schedule", "timezone"]
#: Unlike every other, so that what goes is not taken for what comes under another name.
_LONG = "\n".join(f"remove({number})" for number in range(50))
_OFF = {**_DAILY, "active": False}

#: What the change does → the keys before and after (None: no file); what the plan says: kinds, fields, whether it
#: starts at once
_KINDS: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None, list[str], list[str], bool]] = {
    "adds": (None, _DAILY, ["added"], _ALL, False),
    "adds-at-once": (None, {}, ["added"], _ALL, True),
    "adds-off": (None, _OFF, ["added"], _ALL, False),
    "removes": ({**_DAILY, "code": _LONG}, None, ["removed"], _ALL, False),
    "schedules": (_DAILY, {"cron": "0 4 * * *"}, ["changed"], ["schedule"], False),
    "zones": (_DAILY, {**_DAILY, "timezone": "Europe/Berlin"}, ["changed"], ["timezone"], False),
    "activates": (_OFF, _DAILY, ["activated"], ["active"], False),
    "deactivates": (_DAILY, _OFF, ["deactivated"], ["active"], False),
    "activates-and-schedules": (_OFF, {"cron": "0 4 * * *"}, ["activated", "changed"], ["active", "schedule"], False),
    "codes": (_DAILY, {**_DAILY, "code": "print('other')"}, ["changed"], [], False),
    "describes": (_DAILY, {**_DAILY, "description": "new"}, ["changed"], ["description"], False),
    "limits": (
        _DAILY,
        {**_DAILY, "timeout": "5m", "limits": {"memory": "64M"}},
        ["changed"],
        ["timeout", "limits.memory"],
        False,
    ),
    "touches": (
        *(_DAILY, {**_DAILY, "code": "import smtplib", "secrets": ["KEY"], "env": {"HOST": "x"}}),
        *(["changed"], ["env.HOST", "secrets"], False),
    ),
    "policies": (
        *(_DAILY, {**_DAILY, "concurrency_policy": "allow", "catchup": "none"}),
        *(["changed"], ["catchup", "concurrency_policy"], False),
    ),
    "stays": (_DAILY, _DAILY, [], [], False),
}


def _write(project: Project, name: str, keys: dict[str, Any] | None) -> None:
    path = project.root / f"tasks/{name}.yaml"
    if keys is None:
        path.unlink(missing_ok=True)
    else:
        project.task(name, **keys)


def _plan(project: Project, *words: str) -> dict[str, dict[str, Any]]:
    return {change["task"]: change for change in project.json("plan", *words, now=NOON + MINUTE)["tasks"]}


@pytest.fixture
def changed(project: Project) -> Project:
    """A project whose last commit makes every kind of change, each of a task that has its name."""
    for name, (before, *_) in _KINDS.items():
        _write(project, name, before)
    project.commit()
    assert project.runner("tick", now=NOON).returncode == 0
    for name, (_, after, *_) in _KINDS.items():
        _write(project, name, after)
    return project


def test_every_kind_of_change_is_called_what_it_is_with_its_fields_and_whether_it_starts_at_once(
    changed: Project,
) -> None:
    changes = _plan(changed)

    expected = {
        name: (kinds, sorted(fields), at_once) for name, (*_, kinds, fields, at_once) in _KINDS.items() if kinds
    }
    assert {
        name: (it["kinds"], sorted(field["name"] for field in it["fields"]), it["starts_at_once"])
        for name, it in changes.items()
    } == expected


def test_a_plan_of_two_commits_says_the_same_as_that_of_the_work_tree(changed: Project) -> None:
    of_files = _plan(changed)
    changed.commit()

    assert _plan(changed, "HEAD^", "HEAD") == of_files


def test_outlooks_stand_where_there_is_a_task_and_code_where_it_changes(changed: Project) -> None:
    changes = _plan(changed)

    there = {name: (it["before"] is not None, it["after"] is not None) for name, it in changes.items()}
    assert there == {
        name: (before is not None, after is not None) for name, (before, after, kinds, *_) in _KINDS.items() if kinds
    }
    with_code = {name for name, it in changes.items() if it["code"]}
    assert with_code == {"adds", "adds-at-once", "adds-off", "removes", "codes", "touches"}


def test_what_a_task_may_touch_is_told_only_where_that_changes(changed: Project) -> None:
    told = {name: it["capabilities"] for name, it in _plan(changed).items() if it["capabilities"]}

    assert {name: {kind: it["gained"] for kind, it in kinds.items()} for name, kinds in told.items()} == {
        "touches": {"secrets": ["KEY"], "env": ["HOST"], "imports": ["smtplib"]},
        "limits": {"limits": ["memory 64M"]},
    }


def test_a_rename_alone_and_with_an_edit_keeps_the_old_name(project: Project) -> None:
    code = "\n".join(f"print({number})" for number in range(20))
    for name in ("moves", "moves-and-changes"):
        project.task(name, f"print({name!r})\n{code}", **_DAILY)
    project.commit()
    for name in ("moves", "moves-and-changes"):
        project.git("mv", f"tasks/{name}.yaml", f"tasks/new-{name}.yaml")
    project.task("new-moves-and-changes", f"print('moves-and-changes')\n{code}", cron="0 4 * * *")
    project.commit()

    changes = _plan(project, "HEAD^", "HEAD")

    assert {name: (it["old_task"], it["kinds"]) for name, it in changes.items()} == {
        "new-moves": ("moves", ["renamed"]),
        "new-moves-and-changes": ("moves-and-changes", ["renamed", "changed"]),
    }


def test_a_file_that_breaks_is_mended_or_was_never_valid_is_told_apart(project: Project) -> None:
    project.task("breaks", **_DAILY)
    project.write("tasks/mends.yaml", "nonsense\n")
    project.write("tasks/stays-broken.yaml", "nonsense\n")
    project.commit()
    project.write("tasks/breaks.yaml", "nonsense\n")
    project.task("mends", **_DAILY)
    project.write("tasks/begins-broken.yaml", "nonsense\n")

    done = project.runner("plan", "--json", now=NOON)
    changes = _plan(project)

    assert done.returncode == 1
    assert {name: it["kinds"] for name, it in changes.items()} == {
        "breaks": ["broken"],
        "mends": ["repaired"],
        "begins-broken": ["added", "broken"],
    }
    assert changes["breaks"]["notes"] == ["its file is not valid: the last valid version stays in use"]
    assert changes["begins-broken"]["notes"] == ["its file is not valid: it does not run"]
