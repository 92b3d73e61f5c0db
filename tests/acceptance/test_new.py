"""A new task: valid at once, and on a branch that can be reviewed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.support.project import NOON, Project
from tests.support.streams import answered


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        (["--every", "15 minutes"], {"frequency": 15, "unit": "minutes"}),
        (["--every", "day"], {"frequency": 1, "unit": "days"}),
        (["--every", "every 2 weeks"], {"frequency": 2, "unit": "weeks"}),
        (["--at", "08:00"], {"cron": "0 8 * * *"}),
        (["--at", "7:45", "--timezone", "Europe/Berlin"], {"cron": "45 7 * * *", "timezone": "Europe/Berlin"}),
        (["--cron", "*/5 8-17 * * mon-fri"], {"cron": "*/5 8-17 * * mon-fri"}),
    ],
)
def test_a_new_task_is_valid_at_once_and_has_the_schedule_that_was_asked_for(
    project: Project, options: list[str], schedule: dict[str, object]
) -> None:
    done = project.runner("new", "billing/report", *options)

    assert (done.returncode, done.stderr) == (0, "")
    keys = yaml.safe_load((project.root / "tasks/billing/report.yaml").read_text())
    assert keys == schedule | {"active": True, "code": keys["code"]}
    assert project.runner("validate").stdout.startswith("1 task file checked, no problems")


@pytest.mark.parametrize(
    "text", ["on", "Say: hi", "a # b", "- x", "é 'q' \"d\"", "null", "two\nlines", "1.5", "x:", "@at", "{a"]
)
def test_what_it_is_for_is_read_back_as_it_was_given(project: Project, text: str) -> None:
    project.runner("new", "a", "--every", "day", "--description", text, "--owner", text)

    keys = yaml.safe_load((project.root / "tasks/a.yaml").read_text())
    assert (keys["description"], keys["owner"]) == (text, text)


def test_a_new_task_runs_as_it_is_written(project: Project) -> None:
    project.runner("new", "hello", "--every", "minute")
    project.commit()

    [run] = project.tick().started

    assert project.show(run.run_id).output == b"hello from hello, run 1\n"


def test_the_first_line_leads_an_editor_to_the_schema_of_this_repository(project: Project) -> None:
    schema = Path(__file__).parents[2] / "schema"
    shutil.copytree(schema, project.root / "schema")

    project.runner("new", "a/b/c", "--every", "day")

    first = (project.root / "tasks/a/b/c.yaml").read_text().splitlines()[0]
    name = first.removeprefix("# yaml-language-server: $schema=")
    assert (project.root / "tasks/a/b" / name).resolve() == project.root / "schema/task.schema.json"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["a b", "--every", "day"], "the name 'a b' cannot be part of a task's id"),
        (["../a", "--every", "day"], "the name '..' cannot be part of a task's id"),
        (["a", "--every", "fortnight"], "'fortnight' is not an interval"),
        (["a", "--every", "0 days"], "`frequency` is 0; it must be at least 1"),
        (["a", "--at", "24:00"], "'24:00' is not a time of day"),
        (["a", "--cron", "61 * * * *"], "minute 61 is out of range"),
        (["a", "--every", "day", "--timezone", "Mars"], "unknown time zone 'Mars'"),
        (["a", "--every", "day", "--at", "8:00"], "a task has one schedule"),
        (["a"], "the new task needs a schedule"),
    ],
)
def test_what_would_not_be_valid_is_not_written(project: Project, words: list[str], error: str) -> None:
    done = project.runner("new", *words)

    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"error: {error}"
    assert done.stderr.splitlines()[1].startswith("hint: ")
    assert not (project.root / "tasks").exists()


def test_a_file_that_is_there_stays_as_it_is(project: Project) -> None:
    path = project.task("a")
    before = path.read_bytes()

    done = project.runner("new", "a", "--every", "day")

    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: tasks/a.yaml already exists")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (None, "git push -u origin add-hello"),
        (
            "https://github.com/example/tasks.git",
            "git push -u origin add-hello && gh pr create --fill --head add-hello",
        ),
        ("git@gitlab.example.org:team/tasks.git", "git push -u origin add-hello -o merge_request.create"),
    ],
)
def test_on_a_branch_it_is_committed_alone_and_the_next_step_is_named(
    project: Project, url: str | None, command: str
) -> None:
    project.task("other")
    project.commit()
    if url is not None:
        project.git("remote", "add", "origin", url)
    project.give_identity()
    project.task("other", "print('edited')")
    project.task("staged")
    project.git("add", "tasks/staged.yaml")
    before = _checkout(project)

    done = project.runner("new", "hello", "--every", "day", "--branch", "add-hello")

    assert done.stdout.splitlines() == [
        "committed tasks/hello.yaml on the new branch add-hello; the work tree is unchanged",
        "to write your code: git worktree add ../add-hello add-hello",
        f"to have it reviewed: {command}",
    ]
    assert _checkout(project) == before
    assert _added_by(project, "add-hello") == ["Add the task hello", "", "tasks/hello.yaml"]
    assert project.git("show", "-s", "--format=%an %ae %cn", "add-hello") == "Ada ada@example.org Ada"


def _checkout(project: Project) -> dict[str, bytes]:
    """Return every file of the checkout, with HEAD and the index."""
    files = [path for path in project.root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path): path.read_bytes() for path in (*files, project.root / ".git/HEAD", project.root / ".git/index")}


def _added_by(project: Project, branch: str) -> list[str]:
    return project.git("show", "--format=%s", "--name-only", branch).split("\n")


def test_a_second_branch_starts_where_the_branch_in_force_is(project: Project) -> None:
    project.task("other")
    start = project.commit()
    project.give_identity()

    for name in ("one", "two"):
        assert project.runner("new", name, "--every", "day", "--branch", name).returncode == 0

    assert [project.git("rev-parse", f"{name}~1") for name in ("one", "two")] == [start, start]


def test_a_branch_starts_at_the_ref_that_ticks_follow(project: Project) -> None:
    project.write("runner.yaml", "git: {ref: release}\n")
    project.task("other")
    released = project.commit()
    project.git("branch", "release")
    project.task("unreleased")
    project.commit()
    project.give_identity()

    assert project.runner("new", "hello", "--every", "day", "--branch", "add-hello").returncode == 0

    assert project.git("rev-parse", "add-hello~1") == released


def test_a_repository_below_which_the_tasks_lie_gets_them_there(project: Project) -> None:
    project.task("other")
    project.commit()
    (project.root / "sub").mkdir()
    project.git("mv", "tasks", "sub/tasks")
    project.commit()
    project.give_identity()

    done = project.runner("--repo", "sub", "new", "a/hello", "--every", "day", "--branch", "add/hello")

    assert (done.returncode, done.stderr) == (0, "")
    assert _added_by(project, "add/hello")[2:] == ["sub/tasks/a/hello.yaml"]


@pytest.mark.parametrize(
    ("branch", "said"),
    [
        ("main", "there is a branch main already"),
        ("main/below", "git: update_ref failed for ref 'refs/heads/main/below'"),
        ("-x", "git: '-x' is not a valid branch name"),
        ("a..b", "git: 'a..b' is not a valid branch name"),
    ],
)
def test_a_branch_that_cannot_be_made_leaves_everything_as_it_is(project: Project, branch: str, said: str) -> None:
    project.task("other")
    project.commit()
    project.give_identity()
    before = (_checkout(project), project.git("for-each-ref"))

    done = project.runner("new", "hello", "--every", "day", f"--branch={branch}")

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {said}")
    assert (_checkout(project), project.git("for-each-ref")) == before


def test_a_commit_that_nobody_is_known_to_make_is_not_made_and_the_two_commands_are_named(project: Project) -> None:
    project.task("other")
    project.commit()
    project.git("config", "user.useConfigOnly", "true")

    done = project.runner("new", "hello", "--every", "day", "--branch", "add-hello")

    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [
            "error: git does not know who makes the commit",
            'hint: type `git config user.name "Your Name"` and `git config user.email you@example.org`',
        ],
    )
    assert project.git("branch", "--list", "add-hello") == ""


def test_a_commit_is_signed_where_git_says_that_commits_are(project: Project) -> None:
    project.task("other")
    project.commit()
    project.give_identity()
    program = project.root.parent / "sign"
    program.write_text("#!/bin/sh\ncat > /dev/null\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\necho a-signature\n")
    program.chmod(0o755)
    project.git("config", "gpg.program", str(program))
    project.git("config", "commit.gpgSign", "true")

    assert project.runner("new", "hello", "--every", "day", "--branch", "add-hello").returncode == 0

    assert "gpgsig a-signature" in project.git("cat-file", "commit", "add-hello")


def test_a_person_is_asked_for_what_the_options_have_not_said(project: Project) -> None:
    code, _ = answered(project, ["new", "hello"], {}, (b"What the task is for", b"Says hello\n"), (b"When", b"08:00\n"))

    assert code == 0
    keys = yaml.safe_load((project.root / "tasks/hello.yaml").read_text())
    assert (keys["description"], keys["cron"]) == ("Says hello", "0 8 * * *")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_an_answer_that_is_not_text_is_wrong_usage(project: Project, encoding: str) -> None:
    code, said = answered(
        project, ["new", "hello"], {"PYTHONIOENCODING": encoding}, (b"What the task is for", b"Says \xff\n")
    )

    assert code == 2
    assert b"error: 'Says \\udcff' is not text in UTF-8\r\nhint: " in said
    assert not (project.root / "tasks/hello.yaml").exists()


def test_status_names_the_files_that_are_not_read_and_why(project: Project) -> None:
    project.task("hello")
    project.write("tasks/data/users.csv", "a,b\n")
    project.write("tasks/.hidden.yaml", "x\n")
    project.commit()

    assert project.json("status", now=NOON)["unread"] == [
        {"file": "tasks/.hidden.yaml", "reason": ".hidden.yaml begins with a dot"},
        {"file": "tasks/data/users.csv", "reason": "its name does not end in .yaml"},
    ]
    said = project.runner("status", now=NOON).stdout
    assert "not read: tasks/.hidden.yaml: .hidden.yaml begins with a dot\n" in said
