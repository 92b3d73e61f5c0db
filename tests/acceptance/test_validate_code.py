"""`validate` finds names that nothing defines and modules that are not there, before a task runs at night."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.project import Project

_CONTEXTS = """\
contexts:
  django: {path: app, settings: site.settings, names: {User: django.contrib.auth.models.User}}
  models: {path: app, settings: site.settings, models: all}
  shop: {path: app, setup: "shop.tasks:setup"}
"""


def _problems(project: Project) -> list[dict[str, Any]]:
    done = project.runner("validate", "--format", "json")
    found: list[dict[str, Any]] = json.loads(done.stdout)["problems"]
    assert done.returncode == int(any(it["severity"] == "error" for it in found)), done.stderr
    return found


def test_a_misspelt_name_is_an_error_at_its_line_and_column_of_the_file(project: Project) -> None:
    project.write(
        "tasks/report.yaml", "frequency: 1\nunit: days\nactive: true\ncode: |\n    total = 1\n    pritn(total)\n"
    )

    done = project.runner("validate")

    assert done.returncode == 1
    assert "tasks/report.yaml:6:5: error: nothing defines the name `pritn` [undefined-name]" in done.stdout
    assert "hint: did you mean `print`?" in done.stdout


def test_a_warning_about_code_is_shown_and_does_not_fail(project: Project) -> None:
    project.task("report", "import os\nprint(1)")

    [problem] = _problems(project)

    assert (problem["severity"], problem["message"]) == ("warning", "`os` is imported, and not used")


def test_ticks_run_a_task_whose_code_validate_would_refuse(project: Project) -> None:
    project.task("report", "if False:\n    pritn(1)")
    project.commit()

    assert [run.status for run in project.tick().started] == ["succeeded"]
    assert len(_problems(project)) == 1


#: The context of a task → the code, and the names that nothing defines there.
_NAMES: dict[str | None, tuple[str, list[str]]] = {
    None: ("print(User, timezone)", ["User"]),
    "django": ("print(User, Ticket, timezone)", ["Ticket"]),
    "models": ("print(User, Ticket, Nothing)", []),
    "shop": ("print(session, Nothing)", []),
}


@pytest.mark.parametrize("context", _NAMES)
def test_the_names_of_a_context_are_known_from_runner_yaml(project: Project, context: str | None) -> None:
    code, names = _NAMES[context]
    project.write("runner.yaml", _CONTEXTS)
    project.task("report", code, context=context)

    assert [it["message"] for it in _problems(project)] == [f"nothing defines the name `{name}`" for name in names]


def test_a_name_that_a_context_offers_is_hinted_at(project: Project) -> None:
    project.write("runner.yaml", _CONTEXTS)
    project.task("report", "print(User)")

    assert [it["hint"] for it in _problems(project)] == ["the context `django` has it: add `context: django`"]


def test_names_that_contexts_check_has_written_are_known(project: Project) -> None:
    project.write("runner.yaml", _CONTEXTS)
    project.task("report", "print(Ticket, Nothing)", context="models")
    (project.state / "contexts").mkdir(parents=True)
    (project.state / "contexts" / "models.json").write_text('{"names": ["Ticket", "timezone"]}')

    assert [it["message"] for it in _problems(project)] == ["nothing defines the name `Nothing`"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"names": 1}', '{"names": [1]}'])
def test_a_damaged_file_of_names_is_as_none(project: Project, text: str) -> None:
    project.write("runner.yaml", _CONTEXTS)
    project.task("report", "print(Ticket)", context="models")
    (project.state / "contexts").mkdir(parents=True)
    (project.state / "contexts" / "models.json").write_text(text)

    assert _problems(project) == []


def test_a_module_is_found_where_a_run_would_find_it(project: Project) -> None:
    project.write("lib/ours.py", "x = 1\n")
    project.write("tools/theirs.py", "x = 1\n")
    imports = ["ours", "yaml", "os.path", "sys", "zipimport", "__future__"]
    code = (
        "".join(f"import {name}\n" for name in imports if name != "__future__")
        + "print(ours, yaml, os, sys, zipimport)"
    )
    project.task("found", f"from __future__ import annotations\n{code}")
    project.task("path", "import theirs\nprint(theirs)", env={"PYTHONPATH": "tools"})
    project.task("missing", "import theirs\nimport nothere.at_all\nprint(theirs, nothere)")

    found = _problems(project)

    assert [(it["file"], it["line"], it["message"]) for it in found] == [
        ("tasks/missing.yaml", 5, "there is no module `theirs` here"),
        ("tasks/missing.yaml", 6, "there is no module `nothere` here"),
    ]


def test_what_a_context_can_import_is_not_judged_here(project: Project) -> None:
    project.write("runner.yaml", _CONTEXTS)
    project.task("report", "from tickets.jobs import send\nsend()", context="django")

    assert _problems(project) == []
