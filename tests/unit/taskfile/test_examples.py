"""The corpus of task files in tests/examples: what is valid, and what is said, where, of what is not."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.model.context import Context
from runner.model.permissions import Permissions
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.taskfile.compiler import compile_task
from runner.taskfile.document import read_document

_ROOT = Path(__file__).resolve().parents[3]
_EXAMPLES = _ROOT / "tests" / "examples"
_VALID = sorted((_EXAMPLES / "valid").rglob("*.yaml"))
_INVALID = sorted((_EXAMPLES / "invalid").glob("*.yaml"))

#: Problems of a file's size, name or kind, or of `runner.yaml`, which no example here can have: see test_hostile,
#: test_names and test_contexts. And problems that only `validate` reports: see test_code_check.
_NOT_ABOUT_CONTENT = {"file-size", "id-case", "symlink", "context"}
_OF_CODE = {"undefined-name", "relative-import"}


def _name(path: Path) -> str:
    return path.relative_to(_EXAMPLES).with_suffix("").as_posix()


#: The settings of the examples: two contexts, and a bound of permissions, which only some of them use.
_SETTINGS = Settings(
    contexts=(
        Context("django", "../app", settings="ticketing.settings"),
        Context("shop", "../shop", setup="shop.tasks:setup"),
    ),
    run_as="www-data",
    require_run_as=True,
    most_permissions=Permissions(
        is_held=True,
        imports=("psycopg",),
        ports=(5432,),
        read=("/etc", "data"),
        write=("/srv/reports",),
        can_start=True,
    ),
)


def _problems(path: Path) -> tuple[Problem, ...]:
    return compile_task(f"tasks/{path.name}", path.read_bytes(), _SETTINGS).problems


def _line(problem: Problem) -> str:
    return f"{problem.line}:{problem.column}: {problem.code}: {problem.message}"


def _expected(path: Path) -> list[str]:
    return path.with_suffix(".expected").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", _VALID, ids=_name)
def test_a_valid_example_is_a_task_without_problems(path: Path) -> None:
    relative = path.relative_to(_EXAMPLES / "valid").as_posix()
    compiled = compile_task(f"tasks/{relative}", path.read_bytes(), _SETTINGS)

    assert compiled.problems == ()
    assert compiled.task is not None
    assert compiled.task.id == relative.removesuffix(".yaml")


@pytest.mark.parametrize("path", _VALID, ids=_name)
def test_the_code_of_a_valid_example_begins_on_the_line_that_the_task_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    task = compile_task(f"tasks/{path.name}", text.encode(), _SETTINGS).task
    assert task is not None

    below = text.split("\n")[task.code_line - 1 :]
    for raw, python in zip(below, task.code.split("\n"), strict=False):
        assert raw.endswith(python)


@pytest.mark.parametrize("path", _INVALID, ids=_name)
def test_an_invalid_example_has_the_problems_expected_of_it_in_their_order(path: Path) -> None:
    assert [_line(problem) for problem in _problems(path)] == _expected(path)


def test_the_problems_of_an_invalid_example_are_sorted_and_each_names_its_file() -> None:
    for path in _INVALID:
        problems = _problems(path)

        assert problems
        assert list(problems) == sorted(problems, key=Problem.order)
        assert {problem.file for problem in problems} == {f"tasks/{path.name}"}


def test_every_expectation_points_into_its_file_or_at_the_end_of_one_of_its_lines() -> None:
    for path in _INVALID:
        lines = path.read_bytes().decode("utf-8", "replace").removesuffix("\n").split("\n")

        for expected in _expected(path):
            line, column = (int(number) for number in expected.split(":", 2)[:2])
            assert 1 <= line <= len(lines), path
            assert 1 <= column <= len(lines[line - 1]) + 1, path


def test_every_invalid_example_has_an_expectation_and_every_expectation_an_example() -> None:
    expectations = {path.stem for path in (_EXAMPLES / "invalid").glob("*.expected")}

    assert expectations == {path.stem for path in _INVALID}


def test_the_valid_examples_use_every_key_of_the_schema() -> None:
    schema = json.loads((_ROOT / "schema" / "task.schema.json").read_text(encoding="utf-8"))
    used = {key for path in _VALID for key in read_document(path.read_text(encoding="utf-8")).value}

    assert used == set(schema["properties"])


def test_the_valid_examples_use_every_unit_of_the_schema() -> None:
    schema = json.loads((_ROOT / "schema" / "task.schema.json").read_text(encoding="utf-8"))
    used = {read_document(path.read_text(encoding="utf-8")).value.get("unit") for path in _VALID}

    assert used - {None} == set(schema["properties"]["unit"]["enum"])


def test_the_invalid_examples_show_every_problem_code_that_the_package_can_emit() -> None:
    shown = {line.split(": ", 2)[1] for path in _INVALID for line in _expected(path)}

    assert shown | _NOT_ABOUT_CONTENT | _OF_CODE == set(_emitted())


#: Where the code of a problem stands among a call's arguments.
_CODE_ARGUMENT = {"Finding": 0, "finding": 1, "_at": 1, "Problem": 3}


def _emitted() -> Iterator[str]:
    """Yield every text that can be a problem's code, as the source of the package has it."""
    for file in sorted((_ROOT / "runner" / "taskfile").rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assigned: dict[str, list[ast.expr]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        assigned.setdefault(target.id, []).append(node.value)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                index = _CODE_ARGUMENT.get(name)
                if index is not None and len(node.args) > index:
                    yield from _texts(node.args[index], assigned)


def _texts(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value
        elif isinstance(inner, ast.Name):
            for value in assigned.get(inner.id, ()):
                yield from _texts(value, assigned)
