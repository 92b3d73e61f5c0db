"""Ticks fetch a remote at an interval, while tasks run. The last known commit stays in force when that fails."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runner.errors import GitError
from runner.execution.owners.process_identity import identity
from runner.repo.fetch import fetch
from tests.support.project import MINUTE, NOON, Project
from tests.support.waiting import wait_until

_FOLLOW = "git: {ref: origin/main, fetch: 5m}\n"


@pytest.fixture
def upstream(tmp_path: Path) -> Project:
    """A repository whose branch main is followed by a clone."""
    project = Project.create(tmp_path / "upstream")
    project.task("hello", "print('one')")
    project.write("runner.yaml", _FOLLOW)
    project.commit()
    return project


def _clone(upstream: Project, tmp_path: Path, *options: str) -> Project:
    # As a URL: from a mere path git copies everything, whatever is asked for.
    upstream.git("clone", "--quiet", *options, f"file://{upstream.root}", str(tmp_path / "clone"))
    return Project(tmp_path / "clone", tmp_path / "clone-state")


@pytest.fixture
def clone(upstream: Project, tmp_path: Path) -> Project:
    """A clone that has ticked at noon, and fetched then."""
    project = _clone(upstream, tmp_path)
    _tick(project, 0)
    return project


def _tick(project: Project, minutes: int) -> str:
    done = project.runner("tick", now=NOON + minutes * MINUTE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _outputs(project: Project) -> list[bytes]:
    return [project.show(run.run_id).output for run in project.runs("hello") if run.status == "succeeded"]


def _remote(project: Project, minutes: int) -> dict[str, object]:
    found: dict[str, object] = project.json("status", now=NOON + minutes * MINUTE)["remote"]
    return found


def test_what_is_pushed_runs_once_it_is_fetched_and_the_work_tree_stays_as_it_is(
    upstream: Project, clone: Project
) -> None:
    upstream.task("hello", "print('two')")
    pushed = upstream.commit()
    head = clone.git("rev-parse", "HEAD")

    for minute in range(1, 8):
        _tick(clone, minute)

    # Fetched at noon, and five minutes later: in force from the next tick on.
    assert _outputs(clone) == [b"one\n"] * 6 + [b"two\n"] * 2
    assert clone.runs("hello")[-1].commit == pushed
    assert clone.git("rev-parse", "HEAD") == head
    assert clone.git("status", "--porcelain") == ""
    assert not (clone.root / ".git/FETCH_HEAD").exists()


def test_a_tick_with_nothing_else_to_do_fetches_too(upstream: Project, tmp_path: Path) -> None:
    upstream.task("hello", "print('one')", frequency=1, unit="days")
    upstream.commit()
    project = _clone(upstream, tmp_path)
    _tick(project, 0)
    _tick(project, 1)
    upstream.task("other", "print('two')", frequency=1, unit="days")
    upstream.commit()

    assert "nothing due" in _tick(project, 5)
    _tick(project, 6)

    assert [run.task for run in project.runs()] == ["hello", "other"]


def test_a_forced_push_is_followed(upstream: Project, clone: Project) -> None:
    upstream.task("hello", "print('rewritten')")
    upstream.git("add", "--all")
    upstream.git("commit", "--quiet", "--amend", "--message", "another history")

    _tick(clone, 6)
    _tick(clone, 7)

    assert _outputs(clone)[-1] == b"rewritten\n"


@pytest.mark.parametrize("options", [["--depth=1"], ["--filter=blob:none"], ["--filter=tree:0"]])
def test_a_shallow_or_partial_clone_is_followed_and_has_all_that_a_tick_reads(
    upstream: Project, tmp_path: Path, options: list[str]
) -> None:
    upstream.git("config", "uploadpack.allowFilter", "true")
    project = _clone(upstream, tmp_path, *options)
    _tick(project, 0)
    upstream.task("hello", "print('two')")
    upstream.commit()
    _tick(project, 5)
    shutil.move(upstream.root, tmp_path / "gone")  # what is not there by now cannot come any more

    _tick(project, 6)

    assert _outputs(project)[-1] == b"two\n"


def test_a_remote_that_is_gone_is_told_with_since_when_and_the_last_known_commit_goes_on(
    upstream: Project, clone: Project, tmp_path: Path
) -> None:
    shutil.move(upstream.root, tmp_path / "gone")

    for minute in (5, 10, 12):
        _tick(clone, minute)

    remote = _remote(clone, 12)
    assert remote["behind"] == 0
    assert str(remote["fetched_at"]).startswith("2026-06-10T12:00:0")
    assert str(remote["failing_since"]).startswith("2026-06-10T12:05:0")
    assert "does not appear to be a git repository" in str(remote["failure"]) or "read from remote" in str(
        remote["failure"]
    )
    assert len(_outputs(clone)) == 4
    assert "fetching has failed since 2026-06-10 12:05 UTC: git: " in _status(clone, 12)

    shutil.move(tmp_path / "gone", upstream.root)
    _tick(clone, 15)
    assert _remote(clone, 15)["failing_since"] is None


def _status(project: Project, minutes: int) -> str:
    return " ".join(project.runner("status", now=NOON + minutes * MINUTE, env={"COLUMNS": "400"}).stdout.split())


def test_a_branch_that_has_vanished_is_told_and_the_last_known_commit_goes_on(
    upstream: Project, clone: Project
) -> None:
    upstream.git("branch", "--move", "main", "other")

    _tick(clone, 6)

    assert "couldn't find remote ref refs/heads/main" in str(_remote(clone, 6)["failure"])
    assert len(_outputs(clone)) == 2


def test_a_ref_that_somebody_has_removed_here_is_told_and_comes_back_with_the_next_fetch(clone: Project) -> None:
    clone.git("update-ref", "-d", "refs/remotes/origin/main")

    _tick(clone, 2)
    remote = _remote(clone, 2)

    assert "there is no ref 'origin/main'" in str(remote["stuck"])
    assert remote["behind"] is None
    assert "the last known commit has stayed in use since 2026-06-10 12:02 UTC" in _status(clone, 2)
    _tick(clone, 6)
    _tick(clone, 7)
    assert _remote(clone, 7)["stuck"] is None
    assert len(_outputs(clone)) == 4


def test_a_lock_that_a_crashed_git_has_left_is_told_and_nothing_else_suffers(upstream: Project, clone: Project) -> None:
    upstream.task("hello", "print('two')")
    upstream.commit()
    lock = clone.root / ".git/refs/remotes/origin/main.lock"
    lock.touch()

    _tick(clone, 6)
    _tick(clone, 7)

    assert "main.lock" in str(_remote(clone, 7)["failure"])
    assert _outputs(clone)[-1] == b"one\n"
    lock.unlink()
    _tick(clone, 11)
    _tick(clone, 12)
    assert _outputs(clone)[-1] == b"two\n"


def test_a_remote_that_does_not_answer_holds_up_nothing_that_is_due(clone: Project, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"
    began, over = tmp_path / "began", tmp_path / "over"
    ssh.write_text(f"#!/bin/sh\ntouch {began}\nwhile ! test -e {over}; do sleep 0.1; done\nexit 1\n")
    ssh.chmod(0o755)
    clone.git("remote", "set-url", "origin", "ssh://nowhere.invalid/repository")
    clone.git("config", "core.sshCommand", str(ssh))

    slow = subprocess.Popen(
        ["runner", "tick"], executable=_runner(), cwd=clone.root, env=clone.environment(NOON + 6 * MINUTE), stdout=-3
    )
    wait_until(began.exists)
    wait_until(lambda: len(_outputs(clone)) == 2)
    _tick(clone, 7)  # neither waits for the first one nor asks a second time

    assert slow.poll() is None
    assert len(_outputs(clone)) == 3
    over.touch()
    assert slow.wait(60) == 0
    assert _remote(clone, 7)["failing_since"] is not None


def _runner() -> str:
    from tests.support.project import RUNNER  # noqa: PLC0415 - beside its one use

    return RUNNER


def test_two_ticks_never_fetch_at_once(clone: Project) -> None:
    descriptor = os.open(clone.state / "fetch.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    _tick(clone, 6)

    assert str(_remote(clone, 6)["fetched_at"]).startswith("2026-06-10T12:00:0")
    os.close(descriptor)
    _tick(clone, 7)
    assert str(_remote(clone, 7)["fetched_at"]).startswith("2026-06-10T12:07:0")


def test_a_fetch_has_a_time_limit_after_which_nothing_of_it_is_left(clone: Project, tmp_path: Path) -> None:
    ssh, noted = tmp_path / "ssh", tmp_path / "pid"
    ssh.write_text(
        f"#!/bin/sh\ntrap '' TERM\necho $$ > {noted}.new && mv {noted}.new {noted}\nwhile :; do sleep 0.1; done\n"
    )
    ssh.chmod(0o755)
    clone.git("remote", "set-url", "origin", "ssh://nowhere.invalid/repository")
    clone.git("config", "core.sshCommand", str(ssh))

    with pytest.raises(GitError, match="git fetch did not end within 3 s"):
        fetch(str(clone.root), "refs/remotes/origin/main", patience=3)

    assert noted.exists()
    wait_until(lambda: identity(int(noted.read_text())) is None)
    assert [*(clone.root / ".git").rglob("*.lock")] == []


def test_a_password_in_the_address_of_a_remote_is_told_to_nobody(clone: Project, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/git-remote-odd"
    program.write_text('#!/bin/sh\necho "fatal: unable to access $2" >&2\nexit 128\n')
    program.chmod(0o755)
    clone.git("remote", "set-url", "origin", "odd://ada:open-sesame@nowhere.invalid/repository")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"

    clone.runner("tick", now=NOON + 6 * MINUTE, env={"PATH": path})

    assert _remote(clone, 6)["failure"] == "git: unable to access odd://nowhere.invalid/repository"
    assert b"open-sesame" not in (clone.state / "runner.db").read_bytes()


def test_a_branch_of_no_remote_is_told(upstream: Project, tmp_path: Path) -> None:
    upstream.write("runner.yaml", "git: {ref: main, fetch: 5m}\n")
    upstream.commit()
    project = _clone(upstream, tmp_path)

    _tick(project, 0)

    assert _remote(project, 1)["failure"] == "refs/heads/main is not a branch of a remote"
