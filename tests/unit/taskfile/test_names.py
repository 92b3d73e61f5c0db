"""Which files are tasks, what their names have to be, and what is said of those that cannot be one."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.model.task import id_of, path_of
from runner.taskfile.compiler import compile_task, symlink_problem
from runner.taskfile.names import check_case, check_name, is_task_file

_TASK = b"active: true\nfrequency: 1\nunit: days\ncode: |\n  print('done')\n"


@pytest.mark.parametrize(
    "path",
    [
        "tasks/a.yaml",
        "tasks/A.yaml",
        "tasks/0.yaml",
        "tasks/a/b/c/d/e.yaml",
        "tasks/daily-report_2.v1.yaml",
        "tasks/a.yaml.yaml",
        "tasks/a.yml.yaml",
        "tasks/a..b.yaml",
        "tasks/tasks/a.yaml",
        "tasks/runner.yaml",
        "tasks/CON.yaml",
        "tasks/" + "x" * 200 + ".yaml",
        "tasks/" + "a/" * 99 + "xy.yaml",
    ],
)
def test_a_good_name_is_an_id(path: str) -> None:
    compiled = compile_task(path, _TASK, Settings())

    assert is_task_file(path)
    assert compiled.problems == ()
    assert compiled.task is not None
    assert compiled.task.id == path[len("tasks/") : -len(".yaml")]
    assert compiled.task.path == path


@pytest.mark.parametrize(
    "name",
    [
        "-a",
        "_a",
        "a b",
        " a",
        "a ",
        "é",
        "日報",
        "😀",
        "a\tb",
        "a\nb",
        "a\n",
        "a\x1b[31m",
        "a:b",
        "a\\b",
        "a'b",
        'a"b',
        "a*",
        "a?",
        "$(touch x)",
        "`id`",
        "%0A",
        "a\u202eb",
        "a\udcff",
        "~",
        "+a",
    ],
)
def test_an_odd_name_is_a_problem_of_the_first_line_wherever_it_stands_in_the_path(name: str) -> None:
    for path in (f"tasks/{name}.yaml", f"tasks/{name}/b.yaml", f"tasks/a/{name}.yaml"):
        compiled = compile_task(path, _TASK, Settings())

        [problem] = compiled.problems
        assert compiled.task is None
        assert (problem.code, problem.line, problem.column) == ("file-name", 1, 1)
        assert "letters, digits" in problem.hint


@pytest.mark.parametrize(
    "path", ["tasks/a//b.yaml", "tasks//a.yaml", "tasks/.yaml", "tasks/a/../b.yaml", "/a.yaml", ".yaml"]
)
def test_a_path_with_an_empty_or_dotted_part_is_never_an_id(path: str) -> None:
    problem = check_name(path)

    assert problem is not None
    assert problem.code == "file-name"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\udcff", "a\r", "a\u2028b"])
def test_a_problem_shows_a_files_name_without_characters_that_a_terminal_obeys(name: str) -> None:
    problem = check_name(f"tasks/{name}.yaml")

    assert problem is not None
    if name == "a\udcff":
        # This one is printable, but names a byte (0xff) that is not in the file's name as a code point (U+DCFF).
        assert problem.file == "tasks/a\\xff.yaml"
    assert problem.file.isprintable()


@pytest.mark.parametrize("name", ["a\udcff", "日\udc80"])
def test_a_name_that_git_cannot_decode_is_shown_with_escapes(name: str) -> None:
    problem = check_name(f"tasks/{name}.yaml")

    assert problem is not None
    assert problem.file.encode().startswith(b"tasks/")
    assert problem.message.encode().count(b"\\") >= 1


def test_the_id_has_at_most_two_hundred_characters() -> None:
    problem = check_name("tasks/" + "x" * 201 + ".yaml")

    assert problem is not None
    assert problem.message == "the id has 201 characters; 200 is the limit"


def test_a_file_that_ends_in_yml_is_met_with_a_hint() -> None:
    [problem] = compile_task("tasks/report.yml", _TASK, Settings()).problems

    assert is_task_file("tasks/report.yml")
    assert problem.message == "files that end in .yml are not read"
    assert problem.hint == "rename it to end in .yaml"


@pytest.mark.parametrize("path", ["tasks/report.YAML", "tasks/report.Yaml", "tasks/report.YML"])
def test_a_file_that_ends_in_yaml_in_capitals_is_not_passed_over(path: str) -> None:
    assert is_task_file(path)


@pytest.mark.parametrize(
    "path",
    [
        "tasks/.hidden.yaml",
        "tasks/.git/a.yaml",
        "tasks/.yaml",
        "tasks/..a.yaml",
        "tasks/a/.b/c.yaml",
        "tasks/a.yaml~",
        "tasks/a.yaml.bak",
        "tasks/a.yaml.swp",
        "tasks/#a.yaml#",
        "tasks/readme.md",
        "tasks/data.json",
        "tasks/yaml",
    ],
)
def test_hidden_files_backups_and_data_beside_the_tasks_are_left_alone(path: str) -> None:
    assert not is_task_file(path)


def test_ids_that_differ_by_case_only_are_a_problem_of_each_of_them() -> None:
    paths = ["tasks/a.yaml", "tasks/B/c.yaml", "tasks/A.yaml", "tasks/b/C.yaml", "tasks/d.yaml"]
    problems = sorted(check_case(paths), key=Problem.order)

    assert [(problem.file, problem.code, problem.message) for problem in problems] == [
        ("tasks/A.yaml", "id-case", "the id differs from that of tasks/a.yaml only by case"),
        ("tasks/B/c.yaml", "id-case", "the id differs from that of tasks/b/C.yaml only by case"),
        ("tasks/a.yaml", "id-case", "the id differs from that of tasks/A.yaml only by case"),
        ("tasks/b/C.yaml", "id-case", "the id differs from that of tasks/B/c.yaml only by case"),
    ]


def test_three_ids_that_differ_by_case_only_are_three_problems() -> None:
    assert len(list(check_case(["tasks/aa.yaml", "tasks/aA.yaml", "tasks/AA.yaml"]))) == 3


def test_different_ids_and_equal_names_in_different_folders_are_fine() -> None:
    assert list(check_case(["tasks/a.yaml", "tasks/b.yaml", "tasks/x/a.yaml", "tasks/y/A.yaml"])) == []


def test_no_problem_has_a_name_that_cannot_be_written_as_utf_8() -> None:
    problems = [*check_case(["tasks/a\udcff.yaml", "tasks/A\udcff.yaml"]), symlink_problem("tasks/l\udcff.yaml")]

    assert [problem.file.encode() for problem in problems]
    assert [problem.message.encode() for problem in problems]


def test_a_symbolic_link_is_a_problem_of_its_own() -> None:
    problem = symlink_problem("tasks/link.yaml")

    assert (problem.file, problem.line, problem.column, problem.code) == ("tasks/link.yaml", 1, 1, "symlink")
    assert problem.is_error()


@given(st.text(max_size=250))
def test_every_name_is_an_id_or_a_problem(name: str) -> None:
    path = f"tasks/{name}.yaml"
    problem = check_name(path)

    if problem is None:
        assert path_of(id_of(path)) == path
        assert path.isascii()
        assert len(path) <= 200 + len("tasks/.yaml")
        assert os.path.normpath(path) == path
    else:
        assert (problem.line, problem.column, problem.code) == (1, 1, "file-name")
        assert problem.message
        assert problem.hint
