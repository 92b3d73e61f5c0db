"""Every state that a repository can be in has a clear answer."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest

from runner.errors import RunnerError
from tests.support.damages import DAMAGES
from tests.support.project import MINUTE, NOON, Project

_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder to somebody else")


def test_a_repository_without_a_commit_says_what_to_do(project: Project) -> None:
    project.task("hello")

    done = project.runner("tick")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: the repository has no commit yet\nhint: commit your tasks: git add tasks && git commit\n"
    )


def test_a_folder_outside_of_any_repository_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path / "plain", tmp_path / "state")
    project.root.mkdir()
    project.task("hello")

    done = project.runner("tick")

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {project.root} is not in a git repository\nhint: run `git init`")


def test_a_commit_without_a_folder_of_tasks_says_so(project: Project) -> None:
    commit = project.commit()

    with pytest.raises(RunnerError, match=f"commit {commit[:12]} \\(HEAD\\) has no folder tasks/ in") as caught:
        project.tick()

    assert "tasks/hello.yaml" in str(caught.value.hint)


def test_tasks_that_are_all_deleted_later_leave_a_tick_without_anything_to_do(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick()
    shutil.rmtree(project.root / "tasks")
    project.commit()

    report = project.tick(NOON + MINUTE)

    assert (report.started, report.next_slot) == ((), None)
    assert len(project.runs("hello")) == 1


def test_a_detached_head_runs_its_commit(project: Project) -> None:
    project.task("hello", "print('first')")
    first = project.commit()
    project.task("hello", "print('second')")
    project.commit()
    project.git("checkout", "--quiet", first)

    [run] = project.tick().started

    assert run.commit == first
    assert project.show(run.run_id).output == b"first\n"


def test_packed_refs_are_read_through_git(project: Project) -> None:
    project.task("hello")
    commit = project.commit()
    project.git("pack-refs", "--all")
    assert not (project.root / ".git/refs/heads/main").exists()

    assert [run.commit for run in project.tick().started] == [commit]
    assert project.runner("tick", now=NOON).stdout.startswith("[main] nothing due; next: hello")


def test_a_linked_worktree_runs_its_own_branch(project: Project, tmp_path: Path) -> None:
    project.task("hello", "print('main')")
    project.commit()
    project.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    linked = Project(tmp_path / "linked", tmp_path / "linked-state")
    linked.task("hello", "print('other')")
    linked.commit()

    assert linked.show(linked.tick().started[0].run_id).output == b"other\n"
    assert linked.runner("tick", now=NOON).stdout.startswith("[other] nothing due; next: hello")


def test_a_root_in_a_subfolder_of_the_repository_runs_its_own_tasks(tmp_path: Path) -> None:
    whole = Project.create(tmp_path / "whole")
    whole.task("outside", "print('not mine')")
    part = Project(whole.root / "deep/part", tmp_path / "state")
    part.task("inside", "print(task.id)")
    part.write("runner.yaml", "timezone: Europe/Berlin\n")
    whole.commit()

    report = part.tick()

    assert [run.task for run in report.started] == ["inside"]
    assert report.next_slot is not None
    assert report.next_slot[2] == "2026-06-10 14:01 CEST"
    part.task("inside", "print('edited')")
    assert part.json("status", now=NOON)["uncommitted"] == ["tasks/inside.yaml"]


def test_a_change_elsewhere_in_the_repository_compiles_nothing_and_moves_the_commit(project: Project) -> None:
    project.task("hello")
    project.commit()
    project.tick()
    project.write("README", "hello")
    commit = project.commit()

    [run] = project.tick(NOON + MINUTE).started

    assert run.commit == commit


def test_a_bare_repository_needs_a_place_for_its_state(project: Project, tmp_path: Path) -> None:
    project.task("hello")
    commit = project.commit()
    project.git("clone", "--quiet", "--bare", str(project.root), str(tmp_path / "bare.git"))
    bare = Project(tmp_path / "bare.git", tmp_path / "bare-state")
    inside = Project(bare.root, bare.root / "state")

    assert [run.commit for run in bare.tick().started] == [commit]
    with pytest.raises(RunnerError, match="is a bare repository") as caught:
        inside.tick()
    assert caught.value.hint == "give one with --state DIR"


def test_a_shallow_clone_runs_its_commit_and_survives_a_deeper_fetch(project: Project, tmp_path: Path) -> None:
    for number in range(3):
        project.task("hello", f"print({number})")
        project.commit()
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(tmp_path / "shallow"))
    shallow = Project(tmp_path / "shallow", tmp_path / "shallow-state")

    assert shallow.show(shallow.tick().started[0].run_id).output == b"2\n"
    project.task("hello", "print('new')")
    project.commit()
    shallow.git("fetch", "--quiet", "--depth=1")
    shallow.git("reset", "--quiet", "--hard", "origin/main")
    shallow.git("reflog", "expire", "--expire=now", "--all")
    shallow.git("gc", "--quiet", "--prune=now")

    assert shallow.show(shallow.tick(NOON + MINUTE).started[0].run_id).output == b"new\n"


@_needs_root
@pytest.mark.parametrize("name", ["plain", "a folder", "it's", "büro"])
def test_a_repository_of_somebody_else_is_refused_as_git_refuses_it(tmp_path: Path, name: str) -> None:
    project = Project.create(tmp_path / name)
    project.task("hello")
    project.commit()
    for path in (project.root, project.root / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(RunnerError, match="belongs to another user") as caught:
        project.tick()

    command = str(caught.value.hint).partition("or: ")[2]
    assert shlex.split(command) == ["git", "config", "--global", "--add", "safe.directory", str(project.root)]


def test_a_machine_without_git_says_so(project: Project, tmp_path: Path) -> None:
    project.task("hello")
    project.commit()

    done = project.runner("tick", env={"PATH": str(tmp_path)})

    assert done.returncode == 1
    assert done.stderr == "error: git is not installed\nhint: install git, and see that it is on PATH\n"


def test_the_git_environment_of_a_hook_does_not_lead_elsewhere(project: Project, tmp_path: Path) -> None:
    other = Project.create(tmp_path / "other")
    other.task("other")
    other.commit()
    project.task("mine")
    project.commit()

    done = project.runner("tick", now=NOON, env={"GIT_DIR": str(other.root / ".git")})

    assert "mine" in done.stdout
    assert "other" not in done.stdout


def test_another_ref_is_followed_and_only_its_moves_count(project: Project) -> None:
    project.task("hello", "print('released')")
    project.write("runner.yaml", "git: {ref: production}\n")
    released = project.commit()
    project.git("branch", "production")
    project.task("hello", "print('not yet')")
    project.commit()

    [run] = project.tick().started
    assert (run.commit, project.show(run.run_id).output) == (released, b"released\n")

    project.git("branch", "--force", "production", "HEAD")
    [run] = project.tick(NOON + MINUTE).started
    assert project.show(run.run_id).output == b"not yet\n"


def test_a_ref_that_does_not_exist_is_named(project: Project) -> None:
    project.task("hello")
    project.write("runner.yaml", "git: {ref: origin/production}\n")
    project.commit()

    with pytest.raises(RunnerError, match="there is no ref 'origin/production'") as caught:
        project.tick()

    assert caught.value.hint == "correct `git.ref` in runner.yaml, or fetch the ref"


def test_a_sha256_repository_is_read_like_any_other(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", tmp_path / "state")
    project.root.mkdir()
    project.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    project.task("hello")
    commit = project.commit()

    assert [run.commit for run in project.tick().started] == [commit]
    assert len(commit) == 64


def test_a_symbolic_link_among_the_tasks_is_a_problem_and_is_not_followed(project: Project, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("active: true\n")
    project.task("hello")
    (project.root / "tasks/link.yaml").symlink_to(secret)
    project.commit()

    report = project.tick()

    assert [run.task for run in report.started] == ["hello"]
    assert [(problem.file, problem.code) for problem in report.problems] == [("tasks/link.yaml", "symlink")]


# Objects are not looked at where no ref has moved.
@pytest.mark.parametrize("kind", sorted(DAMAGES.keys() - {"no objects"}))
def test_the_last_known_commit_goes_on_whatever_is_damaged_and_a_person_is_told_its_name(
    project: Project, kind: str
) -> None:
    about, damage, words = DAMAGES[kind]
    project.task("hello")
    commit = project.commit()
    project.runner("tick", now=NOON)
    damage(project)

    done = project.runner("tick", now=NOON + MINUTE)

    assert (done.returncode, done.stderr) == (0, "")
    assert f"1 file has problems: {about} (see `runner status`)" in done.stdout
    assert [run.commit for run in project.runs("hello")] == [commit, commit]
    [problem] = project.json("status", now=NOON + MINUTE)["problems"]
    assert (problem["file"], problem["code"], words in problem["message"]) == (about, "git", True)
    assert problem["message"].endswith("; the last known commit stays in use")


def test_what_was_damaged_is_not_told_any_more_once_it_is_mended(project: Project) -> None:
    project.task("daily", frequency=1, unit="days")
    commit = project.commit()
    project.runner("tick", now=NOON)
    ref = project.root / ".git/refs/heads/main"
    ref.write_text("garbage\n")
    assert "has problems" in project.runner("tick", now=NOON + MINUTE).stdout
    ref.write_text(f"{commit}\n")

    done = project.runner("tick", now=NOON + 2 * MINUTE)

    assert (done.returncode, done.stdout.count("problems")) == (0, 0)
    assert done.stdout.startswith("[main] nothing due; next: daily")
    assert project.json("status", now=NOON + 2 * MINUTE)["problems"] == []


def test_the_first_tick_of_a_damaged_repository_fails_and_says_the_name_of_the_ref(project: Project) -> None:
    project.task("hello")
    project.commit()
    (project.root / ".git/refs/heads/main").write_text("garbage\n")

    done = project.runner("tick", now=NOON)

    assert done.returncode == 1
    assert done.stderr.startswith("error: the ref refs/heads/main is damaged: ")


_BROKEN_SETTINGS: dict[str, str | bytes] = {
    "no YAML": "timezone: [\n",
    "an unknown key": "colour: red\n",
    "a wrong value": "max_parallel: none\n",
    "no mapping": "- a\n- b\n",
    "not UTF-8": b"timezone: \xff\n",
    "a tag": "timezone: !!python/name:os.system x\n",
    "nothing but a tab": "\t",
    "a wrong ref": "git: {ref: ''}\n",
}


@pytest.mark.parametrize("kind", _BROKEN_SETTINGS)
def test_a_first_runner_yaml_with_a_mistake_does_not_stop_what_ran_by_the_defaults(project: Project, kind: str) -> None:
    project.task("hello", "print('one')")
    project.commit()
    project.runner("tick", now=NOON)
    project.write("runner.yaml", _BROKEN_SETTINGS[kind])
    project.task("hello", "print('two')")
    project.task("new")
    project.commit()

    done = project.runner("tick", now=NOON + MINUTE)

    assert (done.returncode, done.stderr) == (0, "")
    assert "1 file has problems: runner.yaml" in done.stdout
    assert [project.show(run.run_id).output for run in project.runs("hello")] == [b"one\n", b"two\n"]
    assert len(project.runs("new")) == 1
    assert {problem["file"] for problem in project.json("status", now=NOON + MINUTE)["problems"]} == {"runner.yaml"}
    project.write("runner.yaml", "timezone: Europe/Berlin\n")
    project.commit()
    assert "CEST" in project.runner("tick", now=NOON + 2 * MINUTE).stdout


@_needs_root
@pytest.mark.parametrize("whose", ["the folder and .git", "the folder", ".git"])
@pytest.mark.parametrize("command", ["tick", "status", "list", "plan"])
def test_a_repository_that_now_belongs_to_somebody_else_is_refused_by_every_command_that_reads_it(
    project: Project, whose: str, command: str
) -> None:
    project.task("daily", frequency=1, unit="days")
    project.commit()
    assert project.runner("tick", now=NOON).returncode == 0
    folders = {"the folder": ["."], ".git": [".git"], "the folder and .git": [".", ".git"]}
    for folder in folders[whose]:
        os.chown(project.root / folder, 12345, 12345)

    done = project.runner(command, now=NOON + MINUTE)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: git refuses {project.root}: it belongs to another user\nhint: ")


@_needs_root
@pytest.mark.parametrize("kind", ["safe.directory", "SUDO_UID"])
def test_a_repository_of_somebody_else_is_read_where_git_is_told_that_it_is_safe(project: Project, kind: str) -> None:
    trusted = {
        "safe.directory": {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": str(project.root),
        },
        "SUDO_UID": {"SUDO_UID": "12345"},
    }[kind]
    project.task("daily", frequency=1, unit="days")
    project.commit()
    for path in (project.root, project.root / ".git"):
        os.chown(path, 12345, 12345)

    first, second = (project.runner("tick", now=NOON + minute * MINUTE, env=trusted) for minute in range(2))

    assert (first.returncode, second.returncode, first.stderr + second.stderr) == (0, 0, "")
    assert second.stdout.startswith("[main] nothing due; next: daily")


@_needs_root
def test_a_repository_that_is_followed_and_belongs_to_somebody_else_is_refused_too(
    project: Project, tmp_path: Path
) -> None:
    project.task("daily", frequency=1, unit="days")
    project.write("runner.yaml", "git: {ref: origin/main, fetch: 5m}\n")
    project.commit()
    project.git("clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", tmp_path / "clone-state")
    assert clone.runner("tick", now=NOON).returncode == 0
    os.chown(clone.root, 12345, 12345)

    done = clone.runner("tick", now=NOON + MINUTE)

    assert (done.returncode, "belongs to another user" in done.stderr) == (1, True)


@pytest.mark.parametrize("name", ["a $HOME b", "$x", "a%20b"])
def test_the_folder_of_a_repository_may_have_any_name(tmp_path: Path, name: str) -> None:
    project = Project.create(tmp_path / name)
    project.task("hello", "print('here')")
    project.commit()
    project.task("edited")
    settled = {"HOME": str(tmp_path), "x": "elsewhere"}

    assert project.runner("tick", now=NOON, env=settled).returncode == 0
    status = project.runner("status", "--json", now=NOON, env=settled)

    assert json.loads(status.stdout)["uncommitted"] == ["tasks/edited.yaml"]
    assert [project.show(run.run_id).output for run in project.runs()] == [b"here\n"]


@pytest.mark.parametrize("kind", ["blob", "tree", "commit"])
def test_what_runs_is_what_the_id_of_the_commit_says(project: Project, kind: str) -> None:
    project.task("hello", "print('hidden')")
    hidden = project.commit()
    project.task("hello", "print('reviewed')")
    reviewed = project.commit()
    path = {"blob": ":tasks/hello.yaml", "tree": "^{tree}", "commit": ""}[kind]
    project.git("replace", f"{reviewed}{path}", f"{hidden}{path}")

    project.runner("tick", now=NOON)

    [run] = project.runs()
    assert (run.commit, project.show(run.run_id).output) == (reviewed, b"reviewed\n")
    assert project.json("status", now=NOON)["uncommitted"] == []


@pytest.mark.parametrize(
    "other", ["refs/tags/origin/main", "refs/heads/origin/main", "refs/tags/refs/remotes/origin/main"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_remotes_branch_is_run_and_nothing_else_that_is_called_so(
    project: Project, tmp_path: Path, other: str, *, packed: bool
) -> None:
    project.task("hello", "print('of the remote')")
    project.write("runner.yaml", "git: {ref: origin/main}\n")
    commit = project.commit()
    project.git("clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", tmp_path / "clone-state")
    clone.task("hello", "print('planted')")
    clone.git("update-ref", other, clone.commit())
    if packed:
        clone.git("pack-refs", "--all")

    clone.runner("tick", now=NOON)
    assert [(run.commit, clone.show(run.run_id).output) for run in clone.runs()] == [(commit, b"of the remote\n")]

    clone.git("update-ref", "-d", "refs/remotes/origin/main")
    done = clone.runner("tick", now=NOON + MINUTE)
    assert (done.returncode, "refs/remotes/origin/main" in done.stdout) == (0, True)
    assert [clone.show(run.run_id).output for run in clone.runs()] == [b"of the remote\n"] * 2


def test_a_branch_is_run_and_not_a_tag_of_its_name(project: Project) -> None:
    project.task("hello", "print('tagged')")
    project.write("runner.yaml", "git: {ref: main}\n")
    project.commit()
    project.git("tag", "main")
    project.git("tag", "HEAD")
    project.task("hello", "print('of the branch')")
    project.commit()

    project.runner("tick", now=NOON)

    assert [project.show(run.run_id).output for run in project.runs()] == [b"of the branch\n"]


def test_a_name_of_two_branches_is_refused_and_says_what_to_write(project: Project) -> None:
    project.task("hello")
    project.write("runner.yaml", "git: {ref: shared/main}\n")
    commit = project.commit()
    project.git("update-ref", "refs/heads/shared/main", commit)
    project.git("update-ref", "refs/remotes/shared/main", commit)

    done = project.runner("tick", now=NOON)

    assert done.returncode == 1
    assert done.stderr == (
        "error: the ref 'shared/main' can be any of refs/heads/shared/main, refs/remotes/shared/main\n"
        "hint: write one of them in full, for example refs/heads/shared/main\n"
    )
