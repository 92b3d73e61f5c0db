"""Every state that a repository can be in has a clear answer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runner.errors import RunnerError
from tests.support.project import MINUTE, NOON, Project


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
    assert project.runner("tick", now=NOON).stdout.startswith("nothing due; next: hello")


def test_a_linked_worktree_runs_its_own_branch(project: Project, tmp_path: Path) -> None:
    project.task("hello", "print('main')")
    project.commit()
    project.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    linked = Project(tmp_path / "linked", tmp_path / "linked-state")
    linked.task("hello", "print('other')")
    linked.commit()

    assert linked.show(linked.tick().started[0].run_id).output == b"other\n"
    assert linked.runner("tick", now=NOON).stdout.startswith("nothing due; next: hello")


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


@pytest.mark.skipif(
    os.geteuid() != 0 and not os.environ.get("CI"), reason="needs root to give a folder to somebody else"
)
def test_a_repository_of_somebody_else_is_refused_as_git_refuses_it(project: Project) -> None:
    project.task("hello")
    project.commit()
    for path in (project.root, project.root / ".git"):
        os.chown(path, 12345, 12345)

    with pytest.raises(RunnerError, match="belongs to another user") as caught:
        project.tick()

    assert "safe.directory" in str(caught.value.hint)


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

    assert caught.value.hint == "mend `git.ref` in runner.yaml, or fetch it"


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
