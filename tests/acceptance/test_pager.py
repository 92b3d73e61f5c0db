"""Long output on a terminal goes through the pager of the person, as in git."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.project import NOON, RUNNER, Project
from tests.support.streams import on_a_terminal

#: Every command whose output may be long.
_PAGED = [
    ["list"],
    ["next"],
    ["history"],
    ["status"],
    ["show", "1"],
    ["logs", "1"],
    ["why", "talks"],
    ["plan", "HEAD", "HEAD"],
    ["list", "--json"],
    ["plan", "HEAD", "HEAD", "--format", "markdown"],
]
_NOT_PAGED = [["blame", "talks"], ["validate"], ["tick", "--dry-run"], ["logs", "--follow", "1"], ["--help"]]
_MARKING = "sed 's/^/P|/'"


@pytest.fixture
def talking(project: Project) -> Project:
    """A task that has run once."""
    project.task("talks", "print('hello')")
    project.commit()
    project.tick()
    return project


def _screen(project: Project, *words: str, columns: int = 80, **env: str) -> str:
    own = {"RUNNER_NOW": NOON.isoformat(), "TERM": "xterm", "COLUMNS": ""} | env
    _, screen, complaints = on_a_terminal(project, *words, env=own, columns=columns)
    assert complaints == b""
    return screen.decode()


@pytest.mark.parametrize("words", _PAGED, ids=" ".join)
def test_what_may_be_long_goes_through_the_pager_byte_for_byte(talking: Project, words: list[str]) -> None:
    bare = _screen(talking, *words)
    paged = _screen(talking, *words, RUNNER_PAGER=_MARKING)

    assert bare
    assert paged.splitlines() == [f"P|{line}" for line in bare.splitlines()]


@pytest.mark.parametrize("words", _NOT_PAGED, ids=" ".join)
def test_what_is_short_or_followed_as_it_comes_does_not(talking: Project, words: list[str]) -> None:
    assert "P|" not in _screen(talking, *words, RUNNER_PAGER=_MARKING)


@pytest.mark.parametrize("words", _PAGED, ids=" ".join)
def test_nothing_that_is_piped_goes_through_a_pager(talking: Project, words: list[str]) -> None:
    assert "P|" not in talking.runner(*words, env={"RUNNER_PAGER": _MARKING, "PAGER": _MARKING}).stdout


@pytest.mark.parametrize("before", [["--no-pager"], ["--no-pager", "--state"], ["--repo", ".", "--no-pager"]])
def test_no_pager_is_an_option_of_every_command(talking: Project, before: list[str]) -> None:
    words = [*before, str(talking.state)] if before[-1] == "--state" else before

    assert "P|" not in _screen(talking, *words, "history", RUNNER_PAGER=_MARKING)
    assert talking.runner(*words, "validate").returncode == 0
    assert talking.runner(*words, "tick", now=NOON).returncode == 0


@pytest.mark.parametrize(
    ("env", "is_paged"),
    [
        ({"RUNNER_PAGER": _MARKING, "PAGER": "false"}, True),
        ({"RUNNER_PAGER": "", "PAGER": _MARKING}, False),
        ({"RUNNER_PAGER": "cat", "PAGER": _MARKING}, False),
        ({"RUNNER_PAGER": " cat ", "PAGER": _MARKING}, False),
        ({"RUNNER_PAGER": "no-such-pager"}, False),
        ({"RUNNER_PAGER": "no-such-pager --with options"}, False),
        ({"RUNNER_PAGER": "/no/such/pager"}, False),
        ({"RUNNER_PAGER": "an 'open quote"}, False),
        ({"RUNNER_PAGER": f"exec {_MARKING}"}, True),
        ({"RUNNER_PAGER": "IN_FRONT='P|' awk '{ print ENVIRON[\"IN_FRONT\"] $0 }'"}, True),
    ],
)
def test_the_first_variable_that_is_set_counts_and_a_missing_pager_is_no_error(
    talking: Project, env: dict[str, str], *, is_paged: bool
) -> None:
    screen = _screen(talking, "history", columns=80, **env)

    assert "talks" in screen
    assert all(line.startswith("P|") for line in screen.splitlines()) is is_paged


def test_pager_counts_where_runner_pager_is_not_set_and_less_where_neither_is(
    talking: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = tmp_path / "bin" / "less"
    less.parent.mkdir()
    less.write_text('#!/bin/sh\nprintf "less with LESS=%s\\n" "$LESS"\nexec sed "s/^/L|/"\n')
    less.chmod(0o755)
    monkeypatch.setenv("PATH", f"{less.parent}:{os.environ['PATH']}")
    for name in ("RUNNER_PAGER", "PAGER", "LESS"):
        monkeypatch.delenv(name, raising=False)

    assert _on_a_terminal_of_its_own(talking, "history").startswith("less with LESS=FRX\nL|")
    monkeypatch.setenv("LESS", "R")
    assert _on_a_terminal_of_its_own(talking, "history").startswith("less with LESS=R\nL|")
    monkeypatch.setenv("PAGER", _MARKING)
    assert _on_a_terminal_of_its_own(talking, "history").startswith("P|")
    monkeypatch.delenv("PAGER")
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("git", "sh"):
        (bare / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(bare))
    assert re.match(r"(\x1b\[1m)?RUN", _on_a_terminal_of_its_own(talking, "history"))


def _on_a_terminal_of_its_own(project: Project, *words: str) -> str:
    """Run the command on a terminal, with the environment of this process; return what the terminal got."""
    pid, window = pty.fork()
    if pid == 0:
        os.chdir(project.root)
        os.execve(RUNNER, [RUNNER, *words], project.environment(NOON))  # noqa: S606 - the command itself
    said = b""
    while True:
        try:
            data = os.read(window, 1000)
        except OSError:
            break
        if not data:
            break
        said += data
    os.close(window)
    assert os.waitpid(pid, 0)[1] == 0
    return said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_pager_gets_what_fits_the_terminal_in_its_colours(talking: Project, columns: int) -> None:
    talking.task("a/name/that/goes/on", description="words " * 60)
    talking.commit()
    talking.tick()

    paged = _screen(talking, "list", columns=columns, RUNNER_PAGER="cat -u")

    assert "\x1b[1m" in paged
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in paged.splitlines()) <= columns
    assert paged == _screen(talking, "list", columns=columns)


@pytest.mark.parametrize("pager", ["true", "head -n 1", "exit 3", "false"])
def test_a_pager_that_quits_early_changes_no_exit_code(talking: Project, pager: str) -> None:
    talking.task("loud", "print('x' * 200_000)")
    talking.commit()
    talking.tick()
    loud = str(talking.runs("loud")[0].run_id)

    for words, expected in ((["logs", loud], 0), (["plan", "HEAD~1", "HEAD", "--exit-code"], 2)):
        code, _, complaints = on_a_terminal(talking, *words, env={"RUNNER_PAGER": pager})
        assert (code, complaints) == (expected, b"")


def test_an_error_starts_no_pager(talking: Project) -> None:
    code, screen, complaints = on_a_terminal(talking, "show", "99", env={"RUNNER_PAGER": "echo started"})

    assert (code, screen) == (2, b"")
    assert complaints.startswith(b"error: there is no run 99\nhint: ")


def test_ctrl_c_while_a_person_reads_belongs_to_the_pager(talking: Project, tmp_path: Path) -> None:
    pager = tmp_path / "pager.py"
    pager.write_text(
        "import os, signal, sys\n"
        "text = sys.stdin.read()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('pager goes on', flush=True))\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "signal.raise_signal(signal.SIGINT)\n"
        "print(text, end='')\n"
    )

    code, screen, complaints = on_a_terminal(talking, "logs", "1", env={"RUNNER_PAGER": f"exec python3 {pager}"})

    assert (code, complaints) == (0, b"")
    assert screen == b"pager goes on\nhello\n"
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
