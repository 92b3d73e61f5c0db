"""What `make` does about the virtual environment, as `make --dry-run` tells it: nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.make import by_a_person

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is set up, below a path with a space and a letter outside of ASCII."""
    folder = tmp_path / "a é" / "checkout"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "crontab.txt"):
        shutil.copy(_REPOSITORY / name, folder)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    (folder / ".venv/.runtime").write_text(f"{folder}\n")
    return folder


def _plan(folder: Path, *words: str, **env: str) -> str:
    done = subprocess.run(
        ["make", "--dry-run", "tick", *words],
        cwd=folder,
        env=by_a_person() | env,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_checkout_that_is_set_up_is_not_set_up_again(checkout: Path, locale: str) -> None:
    assert _plan(checkout, LC_ALL=locale) == ".venv/bin/runner tick\n"


def test_a_checkout_that_was_moved_is_set_up_again(checkout: Path) -> None:
    moved = checkout.rename(checkout.parent / "moved")

    assert _plan(moved).startswith("rm -rf .venv\n")


def test_a_copy_of_a_checkout_is_set_up_by_itself(checkout: Path) -> None:
    copy = checkout.parent / "copy"
    shutil.copytree(checkout, copy, symlinks=True)

    assert "rm -rf .venv\n" in _plan(copy)
    assert _plan(checkout) == ".venv/bin/runner tick\n"


def test_a_checkout_whose_python_is_gone_is_set_up_again(checkout: Path) -> None:
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").symlink_to("/nowhere/python3")

    assert _plan(checkout).startswith("rm -rf .venv\n")


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        (["python3.14", "python3.13", "python3.11", "python3"], "python3.14"),
        (["python3.12", "python3.11", "python3"], "python3.12"),
        (["python3"], "python3"),
    ],
)
def test_the_newest_supported_python_that_works_is_taken(checkout: Path, there: list[str], chosen: str) -> None:
    programs = checkout.parent / "programs"
    programs.mkdir()
    for name in ("python3.14", "python3.13", "python3.12", "python3.11", "python3"):
        (programs / name).write_text(f"#!/bin/sh\nexit {0 if name in there else 1}\n")
        (programs / name).chmod(0o755)
    (checkout / ".venv/.runtime").unlink()

    planned = _plan(checkout, PATH=f"{programs}:{os.environ['PATH']}")

    assert f"\n{chosen} -m venv .venv\n" in planned


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_what_is_installed_is_found_in_every_locale_whatever_the_path(checkout: Path, locale: str) -> None:
    shutil.rmtree(checkout / ".venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=checkout, check=True)
    [folder] = (checkout / ".venv/lib").glob("python*/site-packages")
    (folder / "_runner.pth").write_text(str(checkout), encoding="utf-8")  # as pip installs a checkout
    (checkout / "runner").mkdir()
    (checkout / "runner/__init__.py").touch()
    [command] = {line[line.index("for file") :] for line in _plan(checkout).splitlines() if "_runner.pth" in line}
    subprocess.run(["sh", "-ec", command], cwd=checkout, check=True)

    done = subprocess.run(
        [checkout / ".venv/bin/python", "-c", "import runner; print(ascii(runner.__file__))"],
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": locale},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.stderr, done.stdout.strip()) == ("", ascii(str(checkout / "runner/__init__.py")))
