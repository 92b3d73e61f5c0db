"""What went wrong points at the line of the task's file."""

from __future__ import annotations

import textwrap

import pytest

from runner.model.attempt_result import RunError
from runner.model.run import RunDetails
from tests.support.processes import run_each
from tests.support.project import Project

_FILE = "tasks/once.yaml"


def _line_of(project: Project, text: str) -> int:
    """Return the first line of the committed file with a text on it."""
    lines = project.git("show", f"HEAD:{_FILE}").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def _failed(project: Project, code: str, **keys: object) -> tuple[RunDetails, RunError, str]:
    """Run code that fails; return all of it, its error and its traceback."""
    details = project.run_once(textwrap.dedent(code).strip("\n"), **keys)
    assert details.run.status == "failed", details
    assert details.run.error is not None
    assert details.traceback is not None
    return details, details.run.error, details.traceback


def test_an_exception_points_at_the_line_of_the_yaml_file_and_shows_it(project: Project) -> None:
    details, error, traceback = _failed(project, "a = 1\n\nb = a / 0  # here", description="one line more")

    line = _line_of(project, "# here")
    assert error == RunError("ZeroDivisionError", "division by zero", _FILE, line)
    assert f'File "{_FILE}", line {line}, in <module>\n    b = a / 0  # here\n' in traceback
    assert details.output.decode() == traceback
    assert (details.run.reason, details.run.exit_code) == ("ZeroDivisionError: division by zero", 1)


def test_no_line_of_runner_itself_stands_in_a_traceback(project: Project) -> None:
    _, _, traceback = _failed(project, "import json\njson.loads('{')")

    assert "runner/" not in traceback
    assert traceback.startswith(f'Traceback (most recent call last):\n  File "{_FILE}"')


def test_an_exception_in_nested_functions_shows_every_line_and_names_the_innermost(project: Project) -> None:
    code = """
        class Report:
            def write(self):
                return [self.total(n) for n in (1, 0)]  # middle
            def total(self, n):
                return 1 / n  # innermost
        Report().write()  # outermost
    """
    _, error, traceback = _failed(project, code)

    assert error.line == _line_of(project, "# innermost")
    for mark in ("# outermost", "# middle", "# innermost"):
        assert f'File "{_FILE}", line {_line_of(project, mark)}, in ' in traceback
        assert mark in traceback


def test_an_exception_in_a_library_names_the_last_line_of_the_task(project: Project) -> None:
    _, error, traceback = _failed(project, "import json\ndef load():\n    json.loads('{')  # here\nload()")

    assert (error.type, error.file, error.line) == ("json.decoder.JSONDecodeError", _FILE, _line_of(project, "# here"))
    assert "json/decoder.py" in traceback


def test_the_line_is_right_where_the_block_begins_with_blank_lines(project: Project) -> None:
    project.write(_FILE, "active: true\nfrequency: 1\nunit: days\ncode: |2-\n\n\n  1 / 0  # here\n\n")
    project.commit()
    [run] = project.tick().started

    assert run.error is not None
    assert run.error.line == 7


def test_the_lines_are_those_of_the_version_that_was_run(project: Project) -> None:
    code = (
        "import pathlib, os\npathlib.Path(os.environ['RUNNER_REPO'], 'tasks/once.yaml').write_text('#\\n' * 9)\n1 / 0"
    )

    _, error, traceback = _failed(project, code)

    assert error.line == _line_of(project, "1 / 0")
    assert "    1 / 0\n" in traceback


def test_a_warning_points_at_the_line_of_the_yaml_file_and_shows_it(project: Project) -> None:
    project.task("once", "import warnings\ndef f():\n    warnings.warn('careful', DeprecationWarning)  # here\nf()")
    project.commit()
    project.runner("tick")  # not in the process of pytest, which makes errors of warnings

    line = _line_of(project, "# here")
    expected = f"{_FILE}:{line}: DeprecationWarning: careful\n  warnings.warn('careful', DeprecationWarning)  # here\n"
    assert project.show(1).output.decode() == expected


def test_a_warning_of_the_compiler_points_at_the_line_of_the_yaml_file(project: Project) -> None:
    project.task("once", "a = 1\nprint(a is 1000)")
    project.commit()
    project.runner("tick")

    line = _line_of(project, "a is 1000")
    assert project.show(1).output.decode().startswith(f"{_FILE}:{line}: SyntaxWarning: ")


def test_a_syntax_error_at_run_time_names_the_line_of_the_task(project: Project) -> None:
    _, error, traceback = _failed(project, "text = '1 +'\neval(text)  # here")

    assert (error.type, error.file, error.line) == ("SyntaxError", _FILE, _line_of(project, "# here"))
    assert "1 +" in traceback


@pytest.mark.parametrize("line", ["'\u00b2'", "2 ** 70", "'9' * 5000", "-1", "None"])
def test_a_syntax_error_with_a_strange_line_is_on_record(project: Project, line: str) -> None:
    _, error, _ = _failed(project, f"raise SyntaxError('odd', ({_FILE!r}, {line}, 1, 'text'))")

    assert error.type == "SyntaxError"


def test_an_exception_whose_str_raises_is_told_by_its_type(project: Project) -> None:
    code = """
        class Odd(Exception):
            def __str__(self):
                raise ValueError("no")
        raise Odd  # here
    """
    _, error, traceback = _failed(project, code)

    assert (error.type, error.line) == ("Odd", _line_of(project, "# here"))
    assert "Odd: <exception str() failed>" in traceback


@pytest.mark.parametrize("raised", ["sys.exit(3)", "raise KeyboardInterrupt"])
def test_an_exception_whose_str_tries_to_exit_is_told_by_its_type(project: Project, raised: str) -> None:
    code = f"import sys\nclass Odd(Exception):\n    def __str__(self):\n        {raised}\nraise Odd"

    _, error, _ = _failed(project, code)

    assert error.type == "Odd"


def test_an_exception_class_with_a_strange_module_is_told_by_its_name(project: Project) -> None:
    _, error, _ = _failed(project, "class Odd(Exception):\n    __module__ = []\nraise Odd('x')")

    assert error.message == "x"


def test_all_of_an_exception_group_is_in_the_traceback(project: Project) -> None:
    code = """
        def fail(error):
            raise error  # inner
        found = []
        for each in (ValueError("first"), TypeError("second")):
            try:
                fail(each)
            except Exception as error:
                found.append(error)
        raise ExceptionGroup("both", found)  # outer
    """
    _, error, traceback = _failed(project, code)

    assert (error.type, error.message) == ("ExceptionGroup", "both (2 sub-exceptions)")
    assert error.line == _line_of(project, "# outer")
    assert "ValueError: first" in traceback
    assert f'File "{_FILE}", line {_line_of(project, "# inner")}, in fail' in traceback


def test_chained_exceptions_are_all_in_the_traceback_with_their_lines(project: Project) -> None:
    code = """
        try:
            try:
                {}["key"]  # first
            except KeyError:
                int("x")  # second
        except ValueError as error:
            raise RuntimeError("third") from error  # third
    """
    _, error, traceback = _failed(project, code)

    assert (error.type, error.line) == ("RuntimeError", _line_of(project, "# third"))
    for mark in ("# first", "# second", "# third"):
        assert f'File "{_FILE}", line {_line_of(project, mark)}, in <module>' in traceback
    assert "During handling of the above exception" in traceback
    assert "The above exception was the direct cause" in traceback


def test_notes_of_an_exception_are_in_the_traceback(project: Project) -> None:
    _, _, traceback = _failed(project, "error = ValueError('x')\nerror.add_note('look there')\nraise error")

    assert traceback.endswith("ValueError: x\nlook there\n")


@pytest.mark.parametrize(
    "text", ["'x' * 10_000_000", "'é\U0001f600' * 1_000_000", "'\\ud800' * 1_000_000", "'\\0' * 99_999"]
)
def test_a_very_long_message_is_cut_and_says_so(project: Project, text: str) -> None:
    _, error, traceback = _failed(project, f"raise ValueError({text})  # here")

    assert (error.type, error.file, error.line) == ("ValueError", _FILE, _line_of(project, "# here"))
    assert "characters dropped" in error.message
    assert len(error.message.encode()) < 16_000
    assert traceback.startswith("Traceback (most recent call last):\n")
    assert len(traceback) < 16_000


def test_a_recursion_error_is_told_with_its_line(project: Project) -> None:
    _, error, traceback = _failed(project, "def again():\n    return again()  # here\nagain()")

    assert (error.type, error.line) == ("RecursionError", _line_of(project, "# here"))
    assert "more times]" in traceback


def test_a_very_long_chain_of_exceptions_is_told(project: Project) -> None:
    code = """
        error = None
        for number in range(3000):
            error, cause = ValueError(number), error
            error.__cause__ = cause
        raise error
    """
    _, error, traceback = _failed(project, code)

    assert (error.type, error.message) == ("ValueError", "2999")
    assert "characters dropped" in traceback


def test_a_message_with_nul_bytes_and_half_characters_is_readable(project: Project) -> None:
    _, error, _ = _failed(project, "raise ValueError('a\\0b\\0\\0c\\ud800d')")

    assert (error.message, error.line) == ("a\\0b\\0\\0c\\ud800d", _line_of(project, "raise"))


def test_whatever_ends_the_code_is_told_by_its_full_name(project: Project) -> None:
    expected = {
        "raise KeyboardInterrupt": "KeyboardInterrupt",
        "raise GeneratorExit": "GeneratorExit",
        "class Stop(BaseException): pass\nraise Stop": "Stop",
        "class A:\n    class B(Exception): pass\nraise A.B": "A.B",
        "import subprocess\nsubprocess.run('exit 3', shell=True, check=True)": "subprocess.CalledProcessError",
        "raise MemoryError": "MemoryError",
        "open('missing')": "FileNotFoundError",
    }
    ended = run_each(project, list(expected))

    told = [details.run.error.type for details in ended if details.run.error is not None]
    assert told == list(expected.values())
    assert {details.run.status for details in ended} == {"failed"}


def test_an_empty_message_leaves_the_name_alone_as_the_reason(project: Project) -> None:
    assert _failed(project, "raise ValueError")[0].run.reason == "ValueError"


def test_only_the_first_line_of_a_message_is_the_reason(project: Project) -> None:
    details, error, _ = _failed(project, "raise ValueError('first\\nsecond')")

    assert details.run.reason == "ValueError: first"
    assert error.message == "first\nsecond"


def test_a_task_that_closes_every_descriptor_still_fails(project: Project) -> None:
    details = project.run_once("import os\nos.closerange(0, 1000)\nraise ValueError('unheard')")

    assert (details.run.status, details.run.exit_code, details.run.error) == ("failed", 1, None)


@pytest.mark.parametrize("stream", ["sys.stderr.close()", "sys.stderr = None", "os.close(2)"])
def test_the_error_is_on_record_where_the_task_has_no_stderr_left(project: Project, stream: str) -> None:
    _, error, traceback = _failed(project, f"import os, sys\n{stream}\nraise ValueError('heard')")

    assert error.message == "heard"
    assert "ValueError: heard" in traceback
