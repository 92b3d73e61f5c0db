"""`.ci/bleak`: the worst surroundings in which CI runs the tests, and `make test TESTS=@FILE` for the skipped ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespace import needs_namespace
from tests.support.skipped import OPTION

_REPOSITORY = Path(__file__).parents[2]
_BLEAK = _REPOSITORY / ".ci/bleak"

#: What is asked there, and what is answered.
_FACTS = {
    "id -un": "stranger",
    "ls -A ~ && touch ~ && echo mine": "mine",
    "date +%z": "+1400",
    "env -u TZ date +%z": "+1400",
    "umask": "0077",
    'echo "$LC_ALL"': "C",
    "git config --list --show-scope | grep -v ^local": "",
    "git var GIT_AUTHOR_IDENT": "",
    "git status --porcelain": "",
    "cat /root/.profile": "",
}


def _bleak(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([_BLEAK, *words], check=False, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that holds a bleak clone. Other users may not enter the folders that pytest makes."""
    with tempfile.TemporaryDirectory(prefix="bleak-") as folder:
        yield Path(folder)


@needs_namespace
@pytest.mark.parametrize(("question", "answer"), _FACTS.items(), ids=_FACTS.keys())
def test_nothing_helps_a_command_in_bleak_surroundings(folder: Path, question: str, answer: str) -> None:
    assert _bleak(str(folder), "sh", "-c", f"{question} 2>/dev/null || true").stdout.strip() == answer


@needs_namespace
def test_the_path_of_the_clone_needs_quotes_and_more_than_ascii(folder: Path) -> None:
    path = _bleak(str(folder), "pwd").stdout

    assert " " in path
    assert "'" in path
    assert not path.isascii()


@needs_namespace
def test_make_finds_a_python_there_that_the_user_may_run(folder: Path) -> None:
    done = _bleak(str(folder), "sh", "-c", 'make --eval="python:;@\\$(PYTHON) --version" python')

    assert done.stdout.startswith("Python 3."), done.stderr


@needs_namespace
def test_the_exit_code_is_that_of_the_command_and_the_machine_stays_as_it_is(folder: Path) -> None:
    before = os.uname().nodename, Path("/etc/passwd").read_text(encoding="utf-8"), os.listdir("/etc")

    assert _bleak(str(folder), "sh", "-c", "exit 7").returncode == 7
    assert (os.uname().nodename, Path("/etc/passwd").read_text(encoding="utf-8"), os.listdir("/etc")) == before


@pytest.mark.parametrize("words", [(), ("-n1",)], ids=["alone", "with-workers"])
def test_the_tests_that_were_skipped_are_those_that_are_run_next(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.support.skipped import add_option as pytest_addoption, note_skipped as pytest_configure\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import os, pytest\n"
        "may = 'MAY' in os.environ\n"
        "def test_plain(): pass\n"
        "@pytest.mark.skipif(not may, reason='mark')\n"
        "@pytest.mark.parametrize('word', ['a b', 'c::d', '[e]', 'ü'])\n"
        "def test_marked(word): pass\n"
        "def test_inside():\n    if not may: pytest.skip('inside')\n"
        "@pytest.fixture\ndef made():\n    if not may: pytest.skip('fixture')\n"
        "def test_made(made): pass\n"
        "@pytest.mark.xfail(reason='known')\ndef test_known(): assert False\n"
    )
    pytest_command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", *words]
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
    skipped = tmp_path / "skipped"

    subprocess.run([*pytest_command, f"{OPTION}={skipped}"], cwd=tmp_path, env=environment, check=True)
    done = subprocess.run(
        [*pytest_command, f"@{skipped}"],
        cwd=tmp_path,
        env=environment | {"MAY": "1"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert len(skipped.read_text(encoding="utf-8").splitlines()) == 6
    assert "6 passed" in done.stdout, done.stdout + done.stderr
