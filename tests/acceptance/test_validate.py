"""`runner validate`, the real command: what it says, in which format, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.model.problem import Validation
from runner.operations.reviewing.validate import validate
from tests.support.project import RUNNER, Project, task_text

_FIVE = (Path(__file__).resolve().parents[1] / "examples" / "invalid" / "five-mistakes.yaml").read_bytes()
_FIVE_EXPECTED = [
    ("tasks/five.yaml", 2, 1, "unknown-key"),
    ("tasks/five.yaml", 3, 9, "type"),
    ("tasks/five.yaml", 4, 11, "timezone"),
    ("tasks/five.yaml", 5, 7, "cron"),
    ("tasks/five.yaml", 8, 12, "python"),
]


def _validated(project: Project, *words: str) -> Validation:
    """Check in this process, from the root: the command itself takes most of its time to start."""
    with contextlib.chdir(project.root):
        return validate(project.workspace, words)


def _found(project: Project, *words: str) -> list[tuple[str, int, int, str]]:
    problems = _validated(project, *words).problems
    return [(problem.file, problem.line, problem.column, problem.code) for problem in problems]


def _files(project: Project, *words: str) -> list[str]:
    return [file for file, *_ in _found(project, *words)]


def test_valid_tasks_are_counted_and_the_command_ends_with_0(project: Project) -> None:
    project.task("a")
    project.task("b/c")
    project.commit()

    done = project.runner("validate")

    assert (done.returncode, done.stdout, done.stderr) == (0, "2 task files checked, no problems\n", "")


def test_text_shows_each_problem_with_its_place_and_its_hint_and_the_command_ends_with_1(project: Project) -> None:
    project.write("tasks/five.yaml", _FIVE)
    project.commit()

    done = project.runner("validate")

    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines()[:9] == [
        "tasks/five.yaml:2:1: error: unknown key `frequncy` [unknown-key]",
        "    hint: did you mean `frequency`?",
        "tasks/five.yaml:3:9: error: `active` must be true or false, not 'yes' [type]",
        "    hint: write `true`: YAML 1.2 reads yes as text",
        "tasks/five.yaml:4:11: error: unknown time zone 'Europe/Berln' [timezone]",
        "    hint: did you mean `Europe/Berlin`?",
        "tasks/five.yaml:5:7: error: minute 61 is out of range [cron]",
        "    hint: the minute goes from 0 to 59",
        "tasks/five.yaml:8:12: error: Python: '(' was never closed [python]",
    ]
    assert done.stdout.splitlines()[-1] == "1 task file checked, 5 problems"


@pytest.mark.parametrize("words", [("--format", "json"), ("--json",)])
def test_json_holds_the_same_problems(project: Project, words: tuple[str, ...]) -> None:
    project.write("tasks/five.yaml", _FIVE)
    project.task("good")

    done = project.runner("validate", *words)
    answer = json.loads(done.stdout)

    assert (done.returncode, done.stderr) == (1, "")
    assert set(answer) == {"tasks", "problems"}
    assert answer["tasks"] == 2
    assert [tuple(problem[key] for key in ("file", "line", "column", "code")) for problem in answer["problems"]] == (
        _FIVE_EXPECTED
    )
    assert answer["problems"][0] == {
        "file": "tasks/five.yaml",
        "line": 2,
        "column": 1,
        "severity": "error",
        "code": "unknown-key",
        "message": "unknown key `frequncy`",
        "hint": "did you mean `frequency`?",
    }


def test_github_shows_each_problem_as_an_annotation_of_its_line(project: Project) -> None:
    project.write("tasks/five.yaml", _FIVE)

    done = project.runner("validate", "--format", "github")

    assert (done.returncode, done.stderr) == (1, "")
    first, second, *_ = done.stdout.splitlines()
    assert first == (
        "::error file=tasks/five.yaml,line=2,col=1,title=unknown-key::unknown key `frequncy` (did you mean `frequency`?)"
    )
    assert second == (
        "::error file=tasks/five.yaml,line=3,col=9,title=type::"
        "`active` must be true or false, not 'yes' (write `true`: YAML 1.2 reads yes as text)"
    )
    assert len(done.stdout.splitlines()) == 5


def test_github_shows_nothing_where_nothing_is_wrong(project: Project) -> None:
    project.task("good")

    done = project.runner("validate", "--format", "github")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_github_annotations_name_files_as_the_repository_does(project: Project) -> None:
    project.write("jobs/tasks/five.yaml", _FIVE)

    done = project.runner("--repo", "jobs", "validate", "--format", "github")

    assert all(line.startswith("::error file=jobs/tasks/five.yaml,") for line in done.stdout.splitlines())


def test_an_annotation_stays_one_line_whatever_the_file_says(project: Project) -> None:
    project.write("tasks/evil.yaml", '"k\\n::error file=x::y%0A": 1\n' + task_text())
    project.write("tasks/e\n::error ::vil,line=7.yaml", task_text())

    lines = project.runner("validate", "--format", "github").stdout.splitlines()

    assert len(lines) == 2
    assert all(line.startswith("::error file=tasks/e") for line in lines)
    assert all(line.split("::")[1].count(",line=") == 1 for line in lines)


def test_a_problem_stays_one_line_whatever_the_file_says(project: Project) -> None:
    project.write("tasks/evil.yaml", '"k\\e[31m\\ntasks/good.yaml:1:1: error: forged": 1\n' + task_text())

    [problem] = _validated(project).problems

    assert str(problem).isprintable()
    assert problem.hint.isprintable()


def test_one_bad_file_never_keeps_another_from_being_checked(project: Project) -> None:
    project.write("tasks/a.yaml", b"\xff\xfe\0")
    project.write("tasks/b.yaml", b"[" * 100_000)
    project.write("tasks/c.yaml", b"a: *b\n")
    project.write("tasks/d.yaml", b"x" * 2_000_000)
    project.write("tasks/e f.yaml", task_text())
    project.write("tasks/g.yml", task_text())
    project.task("h", code="x = = 1")
    project.write("tasks/i.yaml", b"")
    project.task("z")

    found = _found(project)

    assert found[:7] == [
        ("tasks/a.yaml", 1, 1, "encoding"),
        ("tasks/b.yaml", 1, 21, "yaml-depth"),
        ("tasks/c.yaml", 1, 4, "yaml-alias"),
        ("tasks/d.yaml", 1, 1, "file-size"),
        ("tasks/e f.yaml", 1, 1, "file-name"),
        ("tasks/g.yml", 1, 1, "file-name"),
        ("tasks/h.yaml", 5, 7, "python"),
    ]
    assert found[7][0] == found[-1][0] == "tasks/i.yaml"


def test_a_file_that_is_too_large_is_told_so(project: Project) -> None:
    project.write("tasks/big.yaml", b"x" * 2_000_000)

    [problem] = _validated(project).problems

    assert problem.message == "the file is larger than 1 MiB"


def test_ids_that_differ_by_case_only_are_problems_of_both(project: Project) -> None:
    project.task("report")
    project.task("Report")

    assert _found(project) == [("tasks/Report.yaml", 1, 1, "id-case"), ("tasks/report.yaml", 1, 1, "id-case")]


def test_symbolic_links_are_problems_and_never_followed(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text("secret: 1\n")
    project.task("good")
    (project.root / "tasks" / "file.yaml").symlink_to(outside / "secret.yaml")
    (project.root / "tasks" / "folder").symlink_to(outside)
    (project.root / "tasks" / "folder.yaml").symlink_to(outside)
    (project.root / "tasks" / "nowhere.yaml").symlink_to(tmp_path / "nothing")
    (project.root / "tasks" / "round.yaml").symlink_to("round.yaml")
    (project.root / "tasks" / "good-too.yaml").symlink_to("good.yaml")

    names = ["file", "folder", "good-too", "nowhere", "round"]
    assert _found(project) == [(f"tasks/{name}.yaml", 1, 1, "symlink") for name in names]


@pytest.mark.held
def test_a_symbolic_link_for_settings_is_a_problem(project: Project, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text("max_parallel: 2\n")
    project.task("good")
    (project.root / "runner.yaml").symlink_to(tmp_path / "elsewhere.yaml")

    assert _files(project) == ["runner.yaml"]


@pytest.mark.held
def test_a_fifo_among_the_tasks_is_passed_over_without_waiting(project: Project) -> None:
    project.task("good")
    os.mkfifo(project.root / "tasks" / "fifo.yaml")
    os.mkfifo(project.root / "runner.yaml")

    done = project.runner("validate", timeout=60)

    assert done.returncode == 0
    assert done.stdout.startswith("1 task file checked, no problems\n")


def test_a_fifo_in_the_place_of_a_committed_task_never_stops_a_tick(project: Project) -> None:
    project.task("bad", code="return 1")
    project.task("good")
    project.commit()
    (project.root / "tasks" / "bad.yaml").unlink()
    os.mkfifo(project.root / "tasks" / "bad.yaml")

    done = project.runner("tick", timeout=60)

    assert "succeeded" in done.stdout


def test_the_hint_of_a_mistake_in_python_is_the_line_at_fault(project: Project) -> None:
    project.task("a", code="return 1", description="This is the first line of the file")

    [problem] = _validated(project).problems

    assert (problem.line, problem.column) == (6, 3)
    assert problem.hint in {"", "return 1"}


def test_folders_and_data_beside_the_tasks_are_passed_over(project: Project) -> None:
    project.task("good")
    project.task(".hidden")
    project.task(".folder/hidden")
    project.write("tasks/readme.md", "# Tasks\n")
    project.write("tasks/good.yaml.bak", "x")
    project.task("folder.yaml/inside")

    assert _validated(project) == Validation(2, ())


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ((), ["runner.yaml", "tasks/a.yaml", "tasks/b/c.yaml", "tasks/b/d.yaml"]),
        ((".",), ["runner.yaml", "tasks/a.yaml", "tasks/b/c.yaml", "tasks/b/d.yaml"]),
        (("tasks",), ["tasks/a.yaml", "tasks/b/c.yaml", "tasks/b/d.yaml"]),
        (("tasks/b/",), ["tasks/b/c.yaml", "tasks/b/d.yaml"]),
        (("./tasks/../tasks/b",), ["tasks/b/c.yaml", "tasks/b/d.yaml"]),
        (("tasks/a.yaml", "tasks/b/d.yaml"), ["tasks/a.yaml", "tasks/b/d.yaml"]),
        (("tasks/a.yaml", "tasks/a.yaml"), ["tasks/a.yaml"]),
        (("runner.yaml",), ["runner.yaml"]),
    ],
)
def test_paths_choose_what_is_checked(project: Project, words: tuple[str, ...], files: list[str]) -> None:
    project.write("runner.yaml", "max_parallel: 0\n")
    for task_id in ("a", "b/c", "b/d"):
        project.task(task_id, active="yes")

    assert _files(project, *words) == files


def test_paths_are_meant_from_where_the_person_stands(project: Project) -> None:
    project.task("b/c", active="yes")
    project.task("c", active="yes")

    done = subprocess.run(
        [RUNNER, "validate", "--json", "c.yaml"],
        cwd=project.root / "tasks" / "b",
        env=project.environment(),
        check=False,
        capture_output=True,
        text=True,
    )

    assert [problem["file"] for problem in json.loads(done.stdout)["problems"]] == ["tasks/b/c.yaml"]


def test_a_path_with_a_name_that_is_not_utf_8_is_checked_as_well(project: Project) -> None:
    project.write("tasks/b\udcff.yaml", task_text())

    assert _found(project) == [("tasks/b\\xff.yaml", 1, 1, "file-name")]


def test_a_path_with_a_name_that_is_not_utf_8_can_be_chosen(project: Project) -> None:
    project.write("tasks/b\udcff.yaml", task_text())

    assert _files(project, "tasks/b\udcff.yaml") == ["tasks/b\\xff.yaml"]


@pytest.mark.parametrize("words", [("--json",), ()])
def test_names_that_are_not_utf_8_never_break_the_report(project: Project, words: tuple[str, ...]) -> None:
    project.task("good")
    project.commit()
    (project.root / "tasks" / "link\udcff.yaml").symlink_to("good.yaml")

    done = project.runner("validate", *words, env={"PYTHONIOENCODING": "utf-8:strict"})

    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("tasks/nothing.yaml",), "error: there is no tasks/nothing.yaml\n"),
        (("--format", "xml"), "error: invalid value for '--format'"),
    ],
)
def test_wrong_usage_is_an_error_with_a_hint_and_the_command_ends_with_2(
    project: Project, words: tuple[str, ...], complaint: str
) -> None:
    project.task("good")

    done = project.runner("validate", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(complaint)
    assert done.stderr.splitlines()[-1].startswith("hint: ")


@pytest.mark.held
@pytest.mark.parametrize("word", ["nowhere", "/etc", "..", "", "tasks/../..", ".git", "tasks-too", "runner.yaml"])
def test_a_path_that_is_not_there_or_not_of_the_tasks_is_wrong_usage(project: Project, word: str) -> None:
    project.task("good")
    project.write("tasks-too/a.yaml", task_text())

    with pytest.raises(UsageError) as caught:
        _validated(project, word)

    assert caught.value.message.startswith(("there is no ", f"{word} is not below tasks/ of "))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["tasks/readme.md", "tasks/.hidden.yaml"])
def test_a_path_that_is_no_task_file_is_not_called_fine(project: Project, name: str) -> None:
    project.write(name, "active: yes\n")

    with pytest.raises(UsageError):
        _validated(project, name)


def test_outside_of_a_git_repository_files_are_checked_all_the_same(project: Project) -> None:
    project.task("good")
    project.write("tasks/five.yaml", _FIVE)
    shutil.rmtree(project.root / ".git")

    done = project.runner("validate")

    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "2 task files checked, 5 problems"


def test_outside_of_a_git_repository_annotations_name_files_below_the_root(project: Project) -> None:
    project.write("tasks/five.yaml", _FIVE)
    shutil.rmtree(project.root / ".git")

    done = project.runner("validate", "--format", "github")

    assert done.stdout.startswith("::error file=tasks/five.yaml,line=2,col=1,")


def test_a_broken_repository_keeps_nobody_from_checking(project: Project) -> None:
    project.task("good")
    project.write(".git/HEAD", "nonsense\n")

    done = project.runner("validate")

    assert (done.returncode, done.stdout, done.stderr) == (0, "1 task file checked, no problems\n", "")


def test_without_a_folder_of_tasks_the_command_says_so(project: Project) -> None:
    done = project.runner("validate")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"error: there is no folder tasks/ in {project.root}",
        "hint: make it, and put a task file into it",
    ]


def test_an_empty_folder_of_tasks_has_no_problems(project: Project) -> None:
    (project.root / "tasks").mkdir()

    assert _found(project) == []


def test_files_that_no_tick_will_run_yet_are_named(project: Project) -> None:
    project.task("committed")
    project.commit()
    project.task("edited")

    done = project.runner("validate")

    assert done.stdout.splitlines() == [
        "2 task files checked, no problems",
        "uncommitted, not run by ticks: tasks/edited.yaml",
    ]


def test_tasks_are_checked_with_the_defaults_of_the_settings(project: Project) -> None:
    project.write("runner.yaml", "timezone: Europe/Berlin\ndefaults: {timeout: 5m}\n")
    project.task("good")

    assert _found(project) == []


def test_broken_settings_keep_no_task_from_being_checked(project: Project) -> None:
    project.write("runner.yaml", "max_paralel: 2\n")
    project.task("a", active="yes")

    assert _found(project) == [("runner.yaml", 1, 1, "unknown-key"), ("tasks/a.yaml", 1, 9, "type")]


def test_a_default_that_is_too_long_is_a_problem_of_the_settings(project: Project) -> None:
    project.write("runner.yaml", "defaults:\n  timeout: 99999d\n")
    project.task("good")

    assert project.runner("validate").returncode == 1


def test_an_end_of_time_west_of_greenwich_keeps_no_other_task_from_being_checked(project: Project) -> None:
    project.task("forever", timezone="America/New_York", end="9999-12-31")
    project.task("wrong", active="yes")

    assert "tasks/wrong.yaml" in _files(project)


def test_a_fraction_in_one_task_is_no_problem_of_another(project: Project) -> None:
    project.write("tasks/a.yaml", task_text(frequency=779.0, unit="hours"))
    project.task("b", frequency=779, unit="hours")

    assert "tasks/b.yaml" not in _files(project)


def test_checking_writes_nothing(project: Project) -> None:
    project.task("good")
    before = sorted(path for path in project.root.rglob("*") if ".git" not in path.parts)

    project.runner("validate")

    assert sorted(path for path in project.root.rglob("*") if ".git" not in path.parts) == before
    assert not project.state.exists()


@pytest.fixture
def unprivileged() -> Iterator[list[str]]:
    """Return what a command starts with so that file permissions count, for root too."""
    if os.geteuid() != 0:
        yield []
        return
    setpriv = shutil.which("setpriv")
    rights = "-dac_override,-dac_read_search"
    words = [str(setpriv), f"--bounding-set={rights}", f"--inh-caps={rights}"]
    if setpriv is None or subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("root cannot give up its rights here")
    yield words


def _validate_as(words: list[str], project: Project) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*words, RUNNER, "validate"],
        cwd=project.root,
        env=project.environment(),
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_file_that_cannot_be_read_is_told_without_a_traceback(project: Project, unprivileged: list[str]) -> None:
    project.task("locked").chmod(0)

    done = _validate_as(unprivileged, project)

    assert done.returncode == 1
    assert "tasks/locked.yaml" in done.stdout + done.stderr
    assert "Permission denied" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_checked(
    project: Project, unprivileged: list[str]
) -> None:
    project.task("locked").chmod(0)
    project.task("wrong", active="yes")

    assert "tasks/wrong.yaml:1:9:" in _validate_as(unprivileged, project).stdout


def test_a_folder_that_cannot_be_read_is_not_called_fine(project: Project, unprivileged: list[str]) -> None:
    project.task("good")
    folder = project.task("locked/wrong", active="yes").parent
    folder.chmod(0)
    try:
        done = _validate_as(unprivileged, project)
    finally:
        folder.chmod(0o755)

    assert done.returncode == 1


def test_hundreds_of_files_have_the_problems_that_each_has_alone(project: Project) -> None:
    for number in range(600):
        project.task(f"t{number}", "pritn(1)" if number % 100 == 0 else "print(1)")
    (project.root / "tasks" / "link.yaml").symlink_to("t1.yaml")

    problems = project.json("validate")["problems"]  # by the command, which may fork
    found = {(problem["file"], problem["line"], problem["code"]) for problem in problems}

    broken = {(f"tasks/t{number}.yaml", 5, "undefined-name") for number in range(0, 600, 100)}
    assert found == {*broken, ("tasks/link.yaml", 1, "symlink")}
