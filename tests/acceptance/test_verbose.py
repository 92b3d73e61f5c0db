"""`tick --verbose` shows what happens as it happens; `-vv` also what tasks print."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.support.processes import background
from tests.support.project import MINUTE, NOON, Project
from tests.support.streams import REFUSING, into, pipe_without_reader, redirected

_AT = r"\d\d:\d\d:\d\d UTC"
_SECONDS = r"\d+\.\d s"


def _until(path: Path) -> str:
    return f"import os, time\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)"


def _lines(said: str) -> list[str]:
    """Return the lines before the report, without the moment in front."""
    before = said.partition("RUN  TASK")[0].splitlines()
    return [re.sub(rf"^{_AT} (\w+) +run ", r"\1 run ", re.sub(_SECONDS, "N s", line)) for line in before]


def test_what_starts_and_what_ends_is_shown_while_the_tick_goes_on(project: Project, tmp_path: Path) -> None:
    project.task("first", _until(tmp_path / "go-1"))
    project.task("second", f"{_until(tmp_path / 'go-2')}\nraise ValueError('no rows')")
    project.commit()

    with background(project, "tick", "-v", now=NOON) as tick:
        assert tick.stdout is not None
        begun = sorted(re.sub(r"run \d+", "run N", tick.stdout.readline()) for _ in range(2))
        assert re.fullmatch(rf"{_AT} started   run N first\n", begun[0]), begun
        assert re.fullmatch(rf"{_AT} started   run N second\n", begun[1]), begun
        (tmp_path / "go-1").touch()
        assert re.fullmatch(rf"{_AT} succeeded run \d+ first in {_SECONDS}\n", tick.stdout.readline())
        (tmp_path / "go-2").touch()
        line = tick.stdout.readline()
        assert re.fullmatch(rf"{_AT} failed    run \d+ second in {_SECONDS}: ValueError: no rows\n", line), line
        assert "RUN  TASK" in tick.stdout.read()
        assert tick.wait() == 0


def test_what_is_tried_again_says_when_and_which_attempt_it_is(project: Project) -> None:
    project.task("again", "raise ValueError", retry={"attempts": 2, "delay": "1s"})
    project.task("later", "raise ValueError", retry={"attempts": 2, "delay": "1h"})
    project.commit()

    # With the real clock the minute may end between the two attempts, and the second one is left to the next tick.
    said = project.runner("tick", "--verbose", now=NOON).stdout

    numbers = {run.task: run.run_id for run in project.runs()}
    again, later = numbers["again"], numbers["later"]
    assert [line for line in _lines(said) if " again" in line] == [
        f"started run {again} again",
        *(
            line
            for line in _lines(said)
            if line.startswith(f"retrying run {again} again in N s: attempt 1 of 2: Value")
        ),
        f"started run {again} again, attempt 2",
        f"failed run {again} again in N s: attempt 2 of 2: ValueError",
    ]
    assert re.search(rf"retrying +run {later} later in .* at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", said), said
    assert len([line for line in _lines(said) if line.startswith("retrying ")]) == 2


def test_slots_that_are_not_run_are_shown_with_the_reason(project: Project) -> None:
    project.task("late", starting_deadline="1m", catchup="all")
    project.commit()
    project.tick()

    said = project.runner("tick", "-v", now=NOON + 3 * MINUTE).stdout

    skipped = [run for run in project.runs() if run.status == "skipped"]
    assert skipped
    assert [line for line in _lines(said) if line.startswith("skipped")] == [
        f"skipped run {run.run_id} late: {run.reason}" for run in skipped
    ]


def test_output_has_the_task_in_front_of_each_line_and_stands_between_start_and_end(project: Project) -> None:
    project.task("loud/talker", "import sys\nprint('one'); print('two')\nsys.stderr.write('no end')")
    project.task("quiet", "pass")
    project.commit()

    said = project.runner("tick", "-vv", now=NOON).stdout
    plain = project.runner("tick", "-v", now=NOON + MINUTE).stdout

    of_loud = [re.sub(r" run \d+", " run N", line) for line in _lines(said) if "loud/talker" in line]
    assert of_loud == [
        "started run N loud/talker",
        "loud/talker | one",
        "loud/talker | two",
        "loud/talker | no end",
        "succeeded run N loud/talker in N s",
    ]
    assert " | " not in plain


def test_output_is_shown_as_it_comes_in_whole_lines(project: Project, tmp_path: Path) -> None:
    go = tmp_path / "go"
    project.task(
        "slow", f"print('before', flush=True)\nprint('half', end='', flush=True)\n{_until(go)}\nprint(' and half')"
    )
    project.commit()

    with background(project, "tick", "-vv", now=NOON) as tick:
        assert tick.stdout is not None
        assert "started" in tick.stdout.readline()
        assert tick.stdout.readline() == "slow | before\n"
        go.touch()
        assert tick.stdout.readline() == "slow | half and half\n"
        assert tick.wait() == 0


def test_the_work_tree_is_tried_with_the_same_lines(project: Project) -> None:
    project.task("tried", "print('hello')")
    project.commit()

    said = project.runner("tick", "--worktree", "-vv").stdout

    assert _lines(said) == ["started run 1 tried", "tried | hello", "succeeded run 1 tried in N s"]


def test_secrets_are_masked_in_what_is_shown(project: Project, tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("TOKEN=correct-horse-battery\n")
    (tmp_path / "secrets.env").chmod(0o600)
    project.write("runner.yaml", f"secrets_file: {tmp_path / 'secrets.env'}\n")
    project.task(
        "talks", "import os\nprint(os.environ['TOKEN'])\nraise ValueError(os.environ['TOKEN'])", secrets=["TOKEN"]
    )
    project.commit()

    said = project.runner("tick", "-vv", now=NOON).stdout

    assert "talks | ***" in said
    assert "correct-horse-battery" not in said


def test_much_output_reaches_a_reader_who_keeps_up(project: Project) -> None:
    project.task("much", "for number in range(20_000): print(number)")
    project.commit()

    said = project.runner("tick", "-vv", now=NOON).stdout

    assert [line for line in _lines(said) if " | " in line] == [f"much | {number}" for number in range(20_000)]


@pytest.mark.parametrize("words", [["-v"], ["-vv"]])
def test_a_reader_that_goes_away_ends_no_tick(project: Project, words: list[str]) -> None:
    project.task("loud", "for number in range(1000): print('x' * 100)")
    project.commit()

    with pipe_without_reader() as pipe:
        done = into(project, pipe, "tick", *words)

    assert (done.returncode, done.stderr) == (0, b"")
    assert [run.status for run in project.runs()] == ["succeeded"]


@pytest.mark.parametrize("redirection", REFUSING)
def test_output_that_cannot_be_written_is_an_error_once_everything_has_run(project: Project, redirection: str) -> None:
    project.task("a")
    project.task("b")
    project.commit()

    done = redirected(project, redirection, "tick", "-vv")

    assert done.returncode == 1
    assert REFUSING[redirection] in done.stderr.decode()
    assert [run.status for run in project.runs()] == ["succeeded"] * 2


def test_json_stays_json(project: Project) -> None:
    project.task("talks", "print('hello')")
    project.commit()

    assert [run["task"] for run in project.json("tick", "-vv")["started"]] == ["talks"]


def test_without_the_option_nothing_more_is_said(project: Project) -> None:
    project.task("talks", "print('hello')")
    project.commit()

    said = project.runner("tick", now=NOON).stdout

    assert said.startswith("RUN  TASK")
    assert not re.search(_AT, said)


def test_output_that_is_no_text_is_passed_on_byte_for_byte(project: Project) -> None:
    project.task("bytes", r"import os; os.write(1, b'\xff\xfe\r\n')")
    project.commit()

    readable, writable = os.pipe()
    done = into(project, writable, "tick", "-vv")
    os.close(writable)
    said = os.read(readable, 1 << 16)
    os.close(readable)

    assert done.returncode == 0
    assert b"bytes | \xff\xfe\r\n" in said
