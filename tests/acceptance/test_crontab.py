"""`make cron-install` and `make cron-show`: what becomes of a person's crontab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.make import by_a_person
from tests.support.namespace import needs_namespace, with_mounts

_REPOSITORY = Path(__file__).parents[2]
_MAKE = ["make", "--silent", "-f", str(_REPOSITORY / "Makefile")]
_OTHER = b"# mine\nMAILTO=ada@example.org\n0 4 * * * backup --all 2>&1 | mail \xe9\n"

#: A crontab(1) that keeps its table in a file: what it says and refuses is chosen by each test.
_CRONTAB = """#!/bin/sh
if [ "$1" = -l ]; then
    [ -z "$FAILS" ] || { echo "$FAILS" >&2; exit 1; }
    cat "$TABLE" 2>/dev/null || { echo "no crontab for ada" >&2; exit 1; }
else
    [ -z "$REFUSES" ] || { echo "$REFUSES" >&2; exit 1; }
    cat >"$TABLE"
fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is set up, of a name with all that shells and cron take for something else."""
    folder = tmp_path / "it's 100% & é"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def table(tmp_path: Path) -> Path:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "crontab").write_text(_CRONTAB)
    (programs / "crontab").chmod(0o755)
    return tmp_path / "table"


def _make(folder: Path, table: Path, target: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    programs = f"{table.parent / 'programs'}:{os.environ['PATH']}"
    environment = {**by_a_person(), "PATH": programs, "TABLE": str(table), **env}
    return subprocess.run([*_MAKE, target], cwd=folder, env=environment, check=False, capture_output=True)


@pytest.mark.parametrize("before", [None, b"", _OTHER, _OTHER.rstrip(b"\n")], ids=["none", "empty", "lines", "no-end"])
def test_installing_adds_the_line_that_is_shown_and_keeps_all_others(
    folder: Path, table: Path, before: bytes | None
) -> None:
    if before is not None:
        table.write_bytes(before)
    line = _make(folder, table, "cron-show").stdout

    done = _make(folder, table, "cron-install")

    assert (done.returncode, done.stderr) == (0, b"")
    assert line.startswith(b"* * * * * cd '")
    kept = before or b""
    assert table.read_bytes() == (kept if kept.endswith(b"\n") or not kept else kept + b"\n") + line


@pytest.mark.parametrize("minute", [b"* * * * *", b"*/5 * * * *"])
def test_installing_again_changes_nothing_whatever_a_person_has_made_of_the_times(
    folder: Path, table: Path, minute: bytes
) -> None:
    table.write_bytes(_OTHER)
    _make(folder, table, "cron-install")
    table.write_bytes(table.read_bytes().replace(b"* * * * * cd", minute + b" cd"))
    before = table.read_bytes()

    done = _make(folder, table, "cron-install")

    assert (done.returncode, done.stdout) == (0, b"your crontab has this line already\n")
    assert table.read_bytes() == before


def test_two_checkouts_have_a_line_each(folder: Path, table: Path) -> None:
    other = folder.parent / "other"
    other.mkdir()
    (other / ".venv").symlink_to(sys.prefix)

    for each in (folder, other, folder, other):
        assert _make(each, table, "cron-install").returncode == 0

    assert len(table.read_bytes().splitlines()) == 2


@pytest.mark.parametrize(
    "env",
    [
        {"FAILS": "crontabs/ada/: fdopen: Permission denied"},
        {"FAILS": "You (ada) are not allowed to use this program (crontab)"},
        {"REFUSES": "errors in crontab file, can't install."},
    ],
    ids=["unreadable", "not-allowed", "refused"],
)
def test_a_crontab_that_cannot_be_read_or_written_is_left_as_it_is(
    folder: Path, table: Path, env: dict[str, str]
) -> None:
    table.write_bytes(_OTHER)

    done = _make(folder, table, "cron-install", **env)

    assert done.returncode != 0
    assert b"error: " in done.stderr
    assert b"hint: nothing was changed\n" in done.stderr
    assert b"Traceback" not in done.stderr
    assert table.read_bytes() == _OTHER


@pytest.mark.parametrize("venv", [None, "a venv whose folder was moved"], ids=["no-set-up", "moved"])
def test_nothing_is_installed_that_could_not_run(tmp_path: Path, table: Path, venv: str | None) -> None:
    table.write_bytes(_OTHER)
    folder = tmp_path / "bare"
    (folder / ".venv/bin").mkdir(parents=True)
    if venv is not None:
        (folder / ".venv/bin/runner").write_text("#!/nowhere/.venv/bin/python\n")
        (folder / ".venv/bin/runner").chmod(0o755)

    done = _make(folder, table, "cron-install")

    assert done.returncode != 0
    assert b"error: .venv/bin/runner cannot be run" in done.stderr
    assert b"hint: make setup\n" in done.stderr
    assert table.read_bytes() == _OTHER


@needs_namespace
def test_the_crontab_command_of_the_system_takes_the_line_and_keeps_what_was_there(folder: Path) -> None:
    spool = "mount -t tmpfs -o mode=1730 tmpfs /var/spool/cron/crontabs"
    script = f"""
        crontab - <<'END'\n0 4 * * * backup\nEND
        {" ".join(_MAKE[:-1])} "$1" cron-install >/dev/null
        {" ".join(_MAKE[:-1])} "$1" cron-install >/dev/null
        crontab -l
    """
    command = with_mounts(spool, "sh", "-e", "-c", script, "sh", _MAKE[-1])
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True)

    assert done.stderr == b""
    first, second = done.stdout.splitlines()[-2:]
    assert first == b"0 4 * * * backup"
    assert second.startswith(b"* * * * * cd '")
    assert done.stdout.count(b"runner tick") == 1


def test_no_document_gives_a_command_that_replaces_a_whole_crontab() -> None:
    documents = [
        _REPOSITORY / "README.md",
        _REPOSITORY / "crontab.txt",
        _REPOSITORY / "CONTRIBUTING.md",
        *(_REPOSITORY / "docs").rglob("*.md"),
    ]

    assert [path for path in documents if "| crontab -" in path.read_text(encoding="utf-8")] == []
