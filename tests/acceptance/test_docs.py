"""What the documents say is executed: examples are valid, commands work, links lead somewhere."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runner.model.settings import Settings
from runner.taskfile.compiler import compile_task
from tests.support.project import NOON, RUNNER, Project

_REPOSITORY = Path(__file__).parents[2]
_DOCUMENTS = [
    _REPOSITORY / "README.md",
    _REPOSITORY / "CONTRIBUTING.md",
    *sorted((_REPOSITORY / "docs").rglob("*.md")),
    *sorted((_REPOSITORY / "examples").glob("*/README.md")),
]
_NAMES = [str(path.relative_to(_REPOSITORY)) for path in _DOCUMENTS]


def _blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_NAMES)
def test_every_task_in_a_document_is_valid(path: Path) -> None:
    for block in _blocks(path, "yaml"):
        compiled = compile_task("tasks/example.yaml", block.encode(), Settings())
        assert compiled.problems == (), block


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_NAMES)
def test_every_python_example_in_a_document_prints_what_it_says(path: Path) -> None:
    failed, _ = doctest.testfile(str(path), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert failed == 0


@pytest.mark.parametrize("path", _DOCUMENTS, ids=_NAMES)
def test_every_relative_link_in_a_document_leads_to_a_file(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / link).exists(), link


_TEXTS = sorted(
    path
    for pattern in (
        "*",
        ".ci/*",
        ".git[hl]*/**/*",
        "benchmarks/**/*",
        "docs/**/*",
        "examples/*/tasks/**/*",
        "examples/*/*.*",
        "runner/**/*",
        "schema/*",
        "tasks/**/*",
    )
    for path in _REPOSITORY.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
)
#: A document by its path, or by the name that readers are sent to: NAME.md, NAME §3, NAME section 3.
_DOCUMENT = re.compile(r"\b(?:docs/[\w./-]+\.md|[A-Z]{4,}\.md|[A-Z]{4,}(?= §| section \d))")


@pytest.mark.parametrize("path", _TEXTS, ids=lambda path: str(path.relative_to(_REPOSITORY)))
def test_every_document_that_a_file_names_is_in_the_repository(path: Path) -> None:
    named = set(_DOCUMENT.findall(path.read_text(encoding="utf-8", errors="replace")))

    assert [name for name in sorted(named) if not (_REPOSITORY / name).is_file()] == []


#: What is no prose in a document: examples in fences, and the rows of tables.
_NO_PROSE = re.compile(r"^(?P<fence>`{3,}).*?^(?P=fence)$|^\|.*?$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^\s*(#|--)")


@pytest.mark.parametrize("path", _TEXTS, ids=lambda path: str(path.relative_to(_REPOSITORY)))
def test_no_line_of_prose_has_120_columns_or_more(path: Path) -> None:
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".md":
        lines = _NO_PROSE.sub("", text).splitlines()
    else:
        lines = [line for line in text.splitlines() if _COMMENT.match(line)]

    assert [line for line in lines if len(line) >= 120] == []


def test_every_command_in_a_document_works_on_the_samples(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "samples")
    for name in ("tasks", "schema", "runner.yaml"):
        source = _REPOSITORY / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, project.root / name)
    project.commit()
    project.give_identity()  # some of the commands make commits, as a person would
    commands = [line[2:] for path in _DOCUMENTS for block in _blocks(path, "console") for line in block.splitlines()]

    ran = 0
    for command in commands:
        words = shlex.split(command.partition("|")[0])
        if words[0] == "runner":
            done = project.runner(*words[1:], now=NOON)
        else:
            assert words[0] == "git", command
            continue
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        ran += 1
    assert ran >= 5
    assert Path(RUNNER).exists()


def _readme_commands(heading: str) -> str:
    """Return the commands below a heading of the README, in their order."""
    section = (_REPOSITORY / "README.md").read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL))


def test_the_commands_for_a_repository_of_ones_own_work_as_typed_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "runner").symlink_to(_REPOSITORY)
    # What sets up is the virtual environment of these tests: installing would need a network.
    link = f"ln -s {shlex.quote(sys.prefix)} .venv"
    script = re.sub(r"^python3 -m venv .*$", lambda _: link, _readme_commands("Use it"), flags=re.MULTILINE)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "crontab").write_text(f"#!/bin/sh\n[ $1 = -l ] && echo '0 4 * * * mine' || cat >'{tmp_path}/table'\n")
    (programs / "crontab").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "RUNNER_STATE"} | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }

    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
    )

    assert (done.returncode, "error" in done.stderr) == (0, False), (done.stdout, done.stderr)
    assert "reports/hello  succeeded" in done.stdout
    assert (tmp_path / "table").read_text().startswith("0 4 * * * mine\n* * * * * cd '")
    assert "every 15 minutes" in done.stdout.rpartition("twice-an-hour")[2]


def test_the_task_that_the_readme_shows_is_the_one_that_its_command_writes(project: Project) -> None:
    [command] = re.findall(r"^runner (new .*)$", _readme_commands("Use it"), re.MULTILINE)
    project.runner(*shlex.split(command))
    [shown] = _blocks(_REPOSITORY / "README.md", "yaml")

    written = (project.root / "tasks/reports/hello.yaml").read_text()

    assert written.partition("code:")[0] == shown.partition("code:")[0]


_ARCHITECTURE = _REPOSITORY / "docs/architecture.md"
_PACKAGES = [path.parent for path in sorted((_REPOSITORY / "runner").rglob("__init__.py"))]


def _words(text: str) -> set[str]:
    """Return what stands in backquotes."""
    return set(re.findall(r"`([^`\n]+)`", text))


def _row(package: Path) -> str:
    """Return the row of the architecture's table that is about a package."""
    name = f"{package.relative_to(_REPOSITORY / 'runner')}/" if package.name != "runner" else "runner/"
    rows = [line for line in _ARCHITECTURE.read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, name
    return rows[0]


def test_every_file_that_the_architecture_names_exists() -> None:
    named = {
        word for word in _words(_ARCHITECTURE.read_text()) if re.fullmatch(r"[\w./-]+\.(py|sql|json|md|yaml)", word)
    }
    missing = [name for name in named if not any((base / name).is_file() for base in (_REPOSITORY, *_PACKAGES))]

    assert len(named) >= 20
    assert sorted(missing) == []


def test_the_architecture_says_which_file_decides_what_and_these_files_exist() -> None:
    """The questions that a newcomer asks, each with a file below `runner/`."""
    section = _ARCHITECTURE.read_text().partition("\n## Which file decides …\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| ")][1:]
    answers = {question.strip(): re.findall(r"`([\w/]+\.py)`", answer) for question, answer in rows}

    assert len(answers) >= 20
    assert [question for question, files in answers.items() if not files] == []
    assert [file for files in answers.values() for file in files if not (_REPOSITORY / "runner" / file).is_file()] == []
    asked = ("what is due?", "renamed", "masked", "killed tick", "`why`", "a run's files")
    assert [word for word in asked if not any(word in question for question in answers)] == []


@pytest.mark.parametrize("package", _PACKAGES, ids=lambda path: path.relative_to(_REPOSITORY).as_posix())
def test_the_architecture_names_every_module_of_a_package_and_no_other(package: Path) -> None:
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    named = {word for word in _words(_row(package).split("|")[2]) if re.fullmatch(r"[a-z_0-9]+", word)}

    assert named == modules


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (_REPOSITORY / "Makefile").read_text(), re.MULTILINE))

    assert {
        "help",
        "setup",
        "tick",
        "dry-run",
        "validate",
        "test",
        "check",
        "bench",
        "cron-show",
        "cron-install",
    } <= targets
    assert set(re.findall(r"`?make ([a-z-]+)", (_REPOSITORY / "README.md").read_text())) <= targets


def test_the_samples_of_this_repository_are_valid_and_show_every_kind_of_schedule() -> None:
    kinds = set()
    active = []
    for path in sorted((_REPOSITORY / "tasks").rglob("*.yaml")):
        compiled = compile_task(path.relative_to(_REPOSITORY).as_posix(), path.read_bytes(), Settings())
        assert compiled.task is not None, compiled.problems
        spec = compiled.task.schedule
        kinds.add("frequency" if spec.frequency else "cron" if spec.cron else "rrule")
        active.append(compiled.task.active)
    assert kinds == {"frequency", "cron", "rrule"}
    assert len(active) >= 6
    assert False in active


def test_the_line_for_cron_survives_a_path_with_quotes_and_percent_signs(tmp_path: Path) -> None:
    odd = tmp_path / "it's 100% & more"
    odd.mkdir()
    shutil.copy(_REPOSITORY / "crontab.txt", odd)
    done = subprocess.run(
        ["make", "--silent", "-f", str(_REPOSITORY / "Makefile"), "cron-show"],
        cwd=odd,
        check=True,
        capture_output=True,
        text=True,
    )

    minute, command = done.stdout.rstrip("\n").split(" cd ")
    assert minute == "* * * * *"
    quoted = command.partition(" && .venv")[0].replace("\\%", "%")
    assert shlex.split(quoted) == [str(odd)]
    assert "%" not in done.stdout.replace("\\%", "")
