"""What a person has settled for git at a terminal changes nothing that the command does or says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from runner.execution.supervising.removal import remove_folder
from tests.support.hostile import HOSTILE, config
from tests.support.project import MINUTE, NOON, Project

#: All at once: tests/unit/repo/test_process.py tries them kind by kind.
_ALL = tuple(pair for settings in HOSTILE.values() for pair in settings)
_QUESTIONS = (
    ("plan", "HEAD~2", "HEAD", "--json"),
    ("why", "hello", "--json"),
    ("history", "--json"),
    ("blame", "hello", "--json"),
    ("status", "--json"),
    ("validate", "--format", "json"),
    ("tick", "--dry-run", "--json"),
)
#: What differs between two runs of the same command.
_OF_THE_MOMENT = {"started_at", "finished_at", "duration_seconds", "last_decision_at"}


@pytest.fixture
def failing(project: Project) -> Project:
    """A repository with all that runner asks git about: a task that has failed since a rename and edits of it."""
    project.task("häufig", "print('häufig')")
    project.task("old", "\n".join(f"print({number})" for number in range(20)))
    project.task("hello", "print('fine')")
    project.write("runner.yaml", "timezone: Europe/Berlin\n")
    project.write(".gitattributes", "*.yaml diff=odd\n")
    project.commit("Läuft (#12)")
    project.runner("tick", now=NOON)
    project.git("mv", "tasks/old.yaml", "tasks/renamed.yaml")
    project.git("switch", "--quiet", "--create", "side")
    project.task("hello", "raise ValueError('ärgerlich')")
    project.commit("Break it (#13)")
    project.git("switch", "--quiet", "main")
    project.write("README", "something else")
    project.commit("Elsewhere")
    project.git("merge", "--quiet", "--no-ff", "--message", "Merge pull request #14 from ada/side", "side")
    project.runner("tick", now=NOON + MINUTE)
    project.task("hello", "raise ValueError('noch ärgerlicher')")
    project.commit("Break it more")
    project.task("edited")
    return project


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(entry) for key, entry in value.items() if key not in _OF_THE_MOMENT}
    return [_steady(entry) for entry in value] if isinstance(value, list) else value


def _answers(project: Project, state: Path, env: dict[str, str]) -> dict[str, object]:
    """Return what a tick does, from a copy of the state, and what is said afterwards."""
    remove_folder(str(state))
    shutil.copytree(project.state, state)
    env = env | {"RUNNER_STATE": str(state)}
    tick = project.runner("tick", now=NOON + 2 * MINUTE, env=env)
    answers: dict[str, object] = {"tick": (tick.returncode, tick.stderr)}
    for words in _QUESTIONS:
        done = project.runner(*words, now=NOON + 2 * MINUTE, env=env)
        answers[" ".join(words)] = (done.returncode, done.stderr, _steady(json.loads(done.stdout)))
    return answers


@pytest.mark.parametrize("place", ["the environment", "the repository", "the home folder"])
def test_no_setting_changes_what_is_done_or_said_wherever_it_stands(
    failing: Project, tmp_path: Path, place: str
) -> None:
    state = tmp_path / "copy"
    answers = _answers(failing, state, {})
    assert answers["tick"] == (0, "")
    assert "Break it" in str(answers["blame hello --json"])
    assert "edited" in str(answers["status --json"])
    env = {}
    if place == "the environment":
        env = {"GIT_CONFIG_COUNT": str(len(_ALL))}
        for number, (name, value) in enumerate(_ALL):
            env |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    elif place == "the repository":
        own = failing.root / ".git/config"
        own.write_text(own.read_text() + config(tmp_path / "gitconfig", _ALL).read_text())
    else:
        config(tmp_path / ".gitconfig", _ALL)
        env = {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": str(tmp_path / ".gitconfig")}

    assert _answers(failing, state, env) == answers
    assert os.environ["GIT_CONFIG_GLOBAL"] == os.devnull
