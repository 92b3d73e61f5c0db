"""What the operating system refuses is one clear line with the cause, and exit code 1; only a bug of ours is 3."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import runner
from tests.support.namespace import needs_namespace, with_mounts
from tests.support.project import RUNNER, Project
from tests.support.users import without_rights

_WRITES = (("tick",), ("tick", "--json"), ("run", "hello"))
_LOOKS = (("list",), ("history",), ("status",), ("tick", "--dry-run"), ("why", "hello"), ("plan",))


@pytest.fixture
def committed(project: Project) -> Project:
    """A project with one task, and without a state."""
    project.task("hello")
    project.commit()
    return project


def _run(project: Project, words: tuple[str, ...], state: object, before: str = "") -> subprocess.CompletedProcess[str]:
    # Below a path with a space, the installed command is begun by a shell, which says things of its own.
    command = [sys.executable, RUNNER, *words]
    return subprocess.run(
        [*without_rights(), "sh", "-e", "-c", f'{before}\nexec "$@"', "sh", *command],
        cwd=project.root,
        env=project.environment() | {"RUNNER_STATE": str(state)},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )


def _is_told(done: subprocess.CompletedProcess[str], what: str) -> bool:
    lines = done.stderr.splitlines()
    return (
        done.returncode == 1
        and len(lines) == 2
        and lines[0].startswith("error: ")
        and what in lines[0]
        and lines[1].startswith("hint: ")
        and "bug in runner" not in lines[0]
    )


def _file(at: Path) -> Path:
    at.touch()
    return at


def _link(at: Path, to: str) -> Path:
    at.symlink_to(to)
    return at


def _locked(at: Path) -> Path:
    at.mkdir()
    at.chmod(0)
    return at


_IN_THE_WAY: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a file": (lambda at: _file(at / "file"), "it is not a folder"),
    "a device": (lambda _: Path(os.devnull), "it is not a folder"),
    "a file above": (lambda at: _file(at / "file") / "a" / "b", "Not a directory"),
    "a link to nowhere": (lambda at: _link(at / "link", "nothing"), "link to nothing, which is not there"),
    "a circle of links": (lambda at: _link(at / "loop", "loop"), "Too many levels of symbolic links"),
    "a circle of links above": (lambda at: _link(at / "loop", "loop") / "a", "Too many levels of symbolic links"),
    "a long name": (lambda at: at / ("x" * 300), "File name too long"),
    "a long path": (lambda at: at.joinpath(*["x" * 200] * 30), "File name too long"),
    "a locked folder": (lambda at: _locked(at / "locked"), "Permission denied"),
    "a locked folder above": (lambda at: _locked(at / "locked") / "a", "Permission denied"),
}


@pytest.mark.parametrize("kind", _IN_THE_WAY)
def test_a_state_folder_that_cannot_be_is_named_with_the_reason_and_hinders_no_check_of_files(
    committed: Project, tmp_path: Path, kind: str
) -> None:
    make, reason = _IN_THE_WAY[kind]
    state = make(tmp_path)

    told = {words: _run(committed, words, state) for words in (("tick",), ("run", "hello"), ("history",))}

    # To go on from a locked folder that is there is up to the database, which names it as well.
    assert {words: done for words, done in told.items() if not _is_named(done, state, reason)} == {}
    assert _run(committed, ("validate",), state).returncode == 0


def _is_named(done: subprocess.CompletedProcess[str], state: Path, reason: str) -> bool:
    by_database = f"error: the database {state}/runner.db cannot be opened" in done.stderr and done.returncode == 1
    return by_database or (_is_told(done, reason) and f"the folder {state} cannot be " in done.stderr)


def test_every_question_names_a_state_that_is_a_file(committed: Project, tmp_path: Path) -> None:
    state = _file(tmp_path / "file")

    for words in _LOOKS:
        assert _is_told(_run(committed, words, state), "cannot be used: it is not a folder"), words


def test_a_folder_that_may_not_be_made_is_named_by_commands_that_write_and_empty_to_others(
    committed: Project, tmp_path: Path
) -> None:
    (tmp_path / "fixed").mkdir()
    (tmp_path / "fixed").chmod(0o555)

    for words in _WRITES:
        assert _is_told(_run(committed, words, tmp_path / "fixed/state"), "cannot be made: Permission denied"), words
    for words in _LOOKS:
        assert _run(committed, words, tmp_path / "fixed/state").returncode == 0, words


@needs_namespace
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("ro", "Read-only file system"),
        ("nr_inodes=1", "No space left on device"),
        ("nr_inodes=2", "No space left on device"),
    ],
)
def test_a_disk_that_takes_no_folder_is_named_and_nothing_is_left_half_made(
    committed: Project, tmp_path: Path, options: str, reason: str
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    words = with_mounts(
        f"mount -t tmpfs -o {options} tmpfs {disk}",
        "sh",
        "-c",
        '"$@"; echo $? $(ls -A "$0")',
        str(disk),
        RUNNER,
        "tick",
    )

    done = subprocess.run(
        words,
        cwd=committed.root,
        env=committed.environment() | {"RUNNER_STATE": str(disk / "state")},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )

    assert done.stdout == "1\n"
    assert done.stderr.startswith(f"error: the folder {disk}/state cannot be made: {reason}\nhint: ")


# Where exactly memory runs out, in our code, in a library or in the interpreter itself, differs from machine to
# machine.
_NO_MEMORY = ("there is not enough memory", "failed to map segment from shared object", "the interpreter failed")
_SCARCE = {
    "open files": ("ulimit -n 6", ("Too many open files", "cannot be opened")),
    "memory": ("ulimit -v 40000", _NO_MEMORY),
    "even less memory": ("ulimit -v 20000", _NO_MEMORY),
}


#: The interpreter itself crashes where no memory is left for an f-string that it compiles, such as the `__repr__` of a
#: dataclass: `_PyPegen_joined_str` does not check an allocation (gh-151238 of CPython, corrected in June 2026).
_CRASHES_WITHOUT_MEMORY = sys.version_info < (3, 15)


def _is_crash_of_python(done: subprocess.CompletedProcess[str]) -> bool:
    return _CRASHES_WITHOUT_MEMORY and done.returncode == -signal.SIGSEGV and not done.stderr


@pytest.mark.parametrize("kind", _SCARCE)
@pytest.mark.parametrize("words", [("list",), ("run", "hello"), ("validate",)])
def test_what_runs_out_is_named(committed: Project, kind: str, words: tuple[str, ...]) -> None:
    limit, reasons = _SCARCE[kind]

    done = _run(committed, words, committed.state, limit)

    is_crash = "memory" in kind and _is_crash_of_python(done)
    assert is_crash or any(_is_told(done, reason) for reason in reasons), done


@pytest.mark.parametrize("kilobytes", range(22_000, 82_000, 6_000))
def test_wherever_memory_runs_out_that_is_what_is_told(committed: Project, kilobytes: int) -> None:
    done = _run(committed, ("run", "hello"), committed.state, f"ulimit -v {kilobytes}")

    reasons = (*_NO_MEMORY, "Cannot allocate memory")
    is_accepted = done.returncode == 0 or _is_crash_of_python(done)
    assert is_accepted or any(_is_told(done, reason) for reason in reasons), done


@pytest.mark.parametrize("missing", ["streams.py", "failure.py"])
def test_a_part_of_runner_that_is_missing_is_named_and_is_no_lack_of_memory(
    committed: Project, tmp_path: Path, missing: str
) -> None:
    package = tmp_path / "lib" / "runner"
    shutil.copytree(Path(runner.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "cli" / missing).unlink()
    environment = committed.environment() | {"PYTHONPATH": str(package.parent)}
    program = "import sys; sys.argv = ['runner', 'show', 'odd']; from runner.cli.main import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=committed.root,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )

    name = missing.removesuffix(".py")
    assert done.returncode == 1
    assert done.stderr.startswith("error: runner cannot be loaded: "), done.stderr
    assert name in done.stderr
    assert done.stderr.endswith("\nhint: install it again\n")
    assert "memory" not in done.stderr


@pytest.mark.parametrize(
    "words", [("tick",), ("list",), ("validate",), ("--repo", ".", "list"), ("--state", "x", "list")]
)
def test_a_folder_of_work_that_is_gone_is_named(committed: Project, words: tuple[str, ...]) -> None:
    done = _run(committed, words, "relative", 'mkdir gone; cd gone; rmdir "$PWD"')

    assert done.returncode == 2
    assert done.stderr.startswith(
        ("error: the current folder no longer exists\nhint: ", "error: there is no folder .\nhint: ")
    )


def test_a_state_beside_a_folder_of_work_that_is_gone_is_named(committed: Project) -> None:
    done = _run(committed, ("--repo", str(committed.root), "list"), "relative", 'mkdir gone; cd gone; rmdir "$PWD"')

    assert (done.returncode, done.stderr.partition("\n")[0]) == (2, "error: the current folder no longer exists")


_NOT_TEXT = b"t\xff".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "words",
    [
        *(
            (command, _NOT_TEXT)
            for command in ("run", "why", "blame", "history", "next", "logs", "show", "plan", "validate")
        ),
        ("tick", "--task", _NOT_TEXT),
        ("history", "--status", _NOT_TEXT),
        ("why", "hello", "--at", _NOT_TEXT),
        ("new", _NOT_TEXT, "--every", "1 hour"),
        *(("new", "fresh", option, _NOT_TEXT) for option in ("--every", "--at", "--cron")),
        *(
            ("new", "fresh", "--every", "1 hour", option, _NOT_TEXT)
            for option in ("--timezone", "--description", "--owner")
        ),
        ("--repo", _NOT_TEXT, "list"),
        (_NOT_TEXT,),
    ],
)
def test_a_word_that_is_not_text_is_wrong_usage(committed: Project, words: tuple[str, ...]) -> None:
    done = committed.runner(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "\\udcff" in done.stderr or "unicode" in done.stderr


def test_folders_whose_names_are_not_text_are_worked_in(committed: Project, tmp_path: Path) -> None:
    root = tmp_path / _NOT_TEXT
    committed.root.rename(root)
    moved = Project(root, tmp_path / f"state{_NOT_TEXT}")

    codes = [moved.runner(*words).returncode for words in (*_WRITES, *_LOOKS, ("validate",))]

    assert codes == [0] * len(codes)
