"""Whatever standard output and error are, no command ends in a bug of ours, and each says what cannot be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import NOON, Project, task_text
from tests.support.streams import (
    REFUSING,
    hung_up_terminal,
    into,
    on_a_terminal,
    pipe_without_reader,
    redirected,
    through_a_pipe_that_does_not_block,
)

_SAYS = "Zähler 日本 😀"
_TASK = f"""\
frequency: 99
unit: weeks
active: true
description: {_SAYS}
owner: Zoë
code: |
  print({_SAYS!r})
  print('x' * 20_000)
"""
_TEXT = (
    ("tick",),
    ("tick", "--verbose"),
    ("tick", "--dry-run"),
    ("list",),
    ("next", "-n", "1"),
    ("status",),
    ("history",),
    ("show", "1"),
    ("logs", "1"),
    ("validate",),
    ("validate", "--format", "github"),
    ("plan",),
    ("plan", "--format", "markdown"),
    ("why", "words"),
    ("blame", "words"),
    ("run", "words"),
    ("replay", "1"),
    ("--help",),
    ("--version",),
)
_JSON = (
    ("tick", "--json"),
    ("tick", "--dry-run", "--json"),
    ("list", "--json"),
    ("status", "--json"),
    ("history", "--json"),
    ("show", "1", "--json"),
    ("validate", "--json"),
    ("validate", "--format", "gitlab"),
    ("plan", "--json"),
    ("why", "words", "--json"),
    ("run", "words", "--json"),
)
#: One command for each way in which output is made: cron's two ticks, lines, tables, JSON, bytes, and live.
_WAYS = (("tick",), ("why", "words"), ("list",), ("history", "--json"), ("logs", "1"), ("run", "words"))


@pytest.fixture
def talking(project: Project) -> Project:
    """A project in which everything that people may name is named in letters that ASCII does not have; ticked once."""
    project.git("config", "user.name", "Jörg")
    project.write("tasks/words.yaml", _TASK)
    project.task("wrong", "raise ValueError('größer als ∞')", frequency=99, unit="weeks")
    project.write(b"tasks/b\xff.yaml".decode("utf-8", "surrogateescape"), task_text())
    project.commit(f"count {_SAYS}")
    project.tick()
    project.write("tasks/words.yaml", _TASK.replace("Zähler", "→"))
    return project


def _is_no_bug(done: subprocess.CompletedProcess[bytes]) -> bool:
    return done.returncode in {0, 1} and b"bug in runner" not in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("list",), ("tick",), ("validate",)], ids=" ".join)
def test_an_installation_below_a_path_that_the_locale_cannot_read_works(
    project: Project, tmp_path: Path, words: tuple[str, ...]
) -> None:
    project.write("tasks/words.yaml", _TASK)
    project.commit()
    place = tmp_path / "büro"
    place.symlink_to(Path(sys.prefix).parent)
    bin_ = place / Path(sys.prefix).name / "bin"

    done = subprocess.run(
        [bin_ / "python", bin_ / "runner", *words],
        cwd=project.root,
        env=project.environment(NOON) | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        check=False,
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C"},
    ],
    ids=lambda env: " ".join(f"{name}={value}" for name, value in env.items()),
)
def test_no_command_fails_over_letters_that_standard_output_does_not_know(
    talking: Project, env: dict[str, str]
) -> None:
    everything = (*_TEXT, *_JSON) if env == {"PYTHONIOENCODING": "ascii"} else (*_WAYS, *_JSON[-2:])
    done: dict[tuple[str, ...], subprocess.CompletedProcess[bytes]] = {
        words: redirected(talking, "", *words, env=env) for words in everything
    }

    assert {words: it for words, it in done.items() if not _is_no_bug(it)} == {}
    for words in {*_JSON} & done.keys():
        json.loads(done[words].stdout.decode(env.get("PYTHONIOENCODING", "utf-8").partition(":")[0]))


def test_json_says_the_same_in_ascii_as_in_utf_8(talking: Project) -> None:
    for words in (("list", "--json"), ("history", "--json"), ("show", "1", "--json"), ("plan", "--json")):
        env = {"RUNNER_NOW": NOON.isoformat()}
        plain = redirected(talking, "", *words, env={"PYTHONIOENCODING": "ascii", **env}).stdout.decode("ascii")
        whole = redirected(talking, "", *words, env={"PYTHONIOENCODING": "utf-8", **env}).stdout.decode()
        assert json.loads(plain) == json.loads(whole)
        assert "😀" in whole or "\\ud83d\\ude00" not in plain


def test_letters_that_cannot_be_encoded_are_escaped_and_the_others_are_not(talking: Project) -> None:
    said = redirected(talking, "", "list", env={"PYTHONIOENCODING": "latin-1"}).stdout.decode("latin-1")

    assert "Zähler \\u65e5\\u672c \\ud83d\\ude00" in said


def test_a_choice_of_what_becomes_of_such_letters_is_respected(talking: Project) -> None:
    said = redirected(talking, "", "list", env={"PYTHONIOENCODING": "ascii:replace"}).stdout

    assert b"Z?hler ?? ?" in said


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_what_a_table_cuts_is_marked_within_the_width_of_an_ascii_terminal(talking: Project, term: str) -> None:
    env = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "TERM": term, "NO_COLOR": "1"}

    code, screen, _ = on_a_terminal(talking, "history", env=env)

    assert code == 0
    assert b"?" in screen
    assert b"\\u2026" not in screen


@pytest.mark.parametrize("redirections", REFUSING)
def test_what_cannot_be_written_is_named_on_one_line_and_the_command_ends_with_1(
    talking: Project, redirections: str
) -> None:
    everything = (*_TEXT, *_JSON) if redirections == ">/dev/full" else _WAYS
    done = {words: redirected(talking, redirections, *words) for words in everything}

    sentence = f"error: standard output cannot be written: {REFUSING[redirections]}"
    assert {words: it for words, it in done.items() if it.returncode != 1} == {}
    for words, it in done.items():
        assert it.stderr.decode().splitlines()[-1] == sentence, words


def test_a_terminal_that_is_gone_is_named_too(talking: Project) -> None:
    for words in _WAYS:
        with hung_up_terminal() as terminal:
            done = into(talking, terminal, *words)
        assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (
            1,
            "error: standard output cannot be written: Input/output error",
        ), words


def test_a_reader_who_has_gone_is_no_error(talking: Project) -> None:
    for words in (*_WAYS, *_JSON):
        with pipe_without_reader() as pipe:
            done = into(talking, pipe, *words)
        assert (done.returncode, b"error" in done.stderr) == (0, False), words


def test_a_pipe_that_does_not_block_gets_all_of_it(talking: Project) -> None:
    for words in (("show", "1"), ("show", "1", "--json"), ("logs", "1"), ("run", "words")):
        code, output, complaints = through_a_pipe_that_does_not_block(talking, *words)
        assert (code, b"error" in complaints) == (0, False), words
        assert len(output) > 20_000, words
        assert output == redirected(talking, "", *words).stdout, words


def test_a_tick_into_a_full_disk_has_run_what_was_due(project: Project) -> None:
    project.task("due")
    project.commit()

    done = redirected(project, ">/dev/full", "tick")

    assert done.returncode == 1
    assert [run.status for run in project.runs()] == ["succeeded"]


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", "<&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_the_exit_code_is_kept_where_nobody_hears_complaints(talking: Project, redirections: str) -> None:
    can_write = ">" not in redirections.replace("2>", "")
    expected = {
        ("tick",): 0 if can_write else 1,
        ("list",): 0 if can_write else 1,
        ("run", "words"): 0 if can_write else 1,
        ("run", "wrong"): 1,
        ("validate",): 1,
        ("show", "999"): 2,
        ("bogus",): 2,
        ("--repo", "/nowhere", "tick"): 2,
    }

    if redirections not in {"2>&-", ">/dev/full 2>/dev/full"}:
        expected = {words: expected[words] for words in (("tick",), ("run", "wrong"), ("show", "999"))}

    assert {words: redirected(talking, redirections, *words).returncode for words in expected} == expected


def test_complaints_never_come_out_on_standard_output(talking: Project) -> None:
    assert redirected(talking, "2>&-", "show", "999").stdout == b""


def test_a_closed_stream_never_becomes_the_number_of_a_file(project: Project) -> None:
    project.task("looks", "import os\nprint(os.readlink('/proc/%d/fd/1' % os.getppid()), flush=True)")
    project.commit()

    redirected(project, "<&- >&- 2>&-", "tick")

    assert project.show(1).output == os.fsencode(f"{os.devnull}\n")
