"""What is on disk and in no commit is named: files that git will never store, edits that somebody has forgotten to commit."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from tests.support.project import NOON, Project, task_text

_TEXT = task_text("print('hi')")


def _problems(project: Project, *words: str) -> dict[str, str]:
    found = project.json("validate", "--format", "json", *words)["problems"]
    return {problem["file"]: problem["message"] for problem in found if problem["code"] == "never-committed"}


@pytest.fixture
def committed(project: Project) -> Project:
    project.task("hello", "print('hi')", cron="0 0 * * *")
    project.commit()
    return project


def _by_gitignore(project: Project) -> str:
    project.write(".gitignore", "# ours\n*-local.yaml\n")
    project.write("tasks/x-local.yaml", _TEXT)
    return "git ignores it: line 2 of .gitignore has `*-local.yaml`"


def _by_a_nested_gitignore(project: Project) -> str:
    project.write("tasks/.gitignore", "x-local.yaml\n")
    project.write("tasks/x-local.yaml", _TEXT)
    return "git ignores it: line 1 of tasks/.gitignore has `x-local.yaml`"


def _by_info_exclude(project: Project) -> str:
    project.write(".git/info/exclude", "tasks/x-local.yaml\n")
    project.write("tasks/x-local.yaml", _TEXT)
    return "git ignores it: line 1 of .git/info/exclude has `tasks/x-local.yaml`"


def _in_a_repository_of_its_own(project: Project) -> str:
    project.write("tasks/x-local.yaml", "")
    (project.root / "tasks/x-local.yaml").unlink()
    nested = Project(project.root / "tasks/vendor", project.state)
    nested.root.mkdir()
    nested.git("init", "--quiet")
    project.write("tasks/vendor/deep/task.yaml", _TEXT)
    return "tasks/vendor is a git repository of its own, whose files are not part of this repository's commits"


def _in_a_submodule(project: Project) -> str:
    other = Project.create(project.root.parent / "other")
    other.write("deep/task.yaml", _TEXT)
    other.commit()
    project.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "tasks/vendor")
    project.commit()
    return "it is in the submodule tasks/vendor, whose files are not part of this repository's commits"


def _by_skip_worktree(project: Project) -> str:
    project.git("update-index", "--skip-worktree", "tasks/hello.yaml")
    project.task("hello", "print('edited')", cron="0 0 * * *")
    return "git is told to overlook its edits (skip-worktree)"


def _by_assume_unchanged(project: Project) -> str:
    project.git("update-index", "--assume-unchanged", "tasks/hello.yaml")
    project.task("hello", "print('edited')", cron="0 0 * * *")
    return "git is told to overlook its edits (assume-unchanged)"


_KINDS = [
    _by_gitignore,
    _by_a_nested_gitignore,
    _by_info_exclude,
    _in_a_repository_of_its_own,
    _in_a_submodule,
    _by_skip_worktree,
    _by_assume_unchanged,
]


@pytest.mark.parametrize("make", _KINDS)
def test_a_file_that_git_will_never_store_is_named_by_validate_and_by_status(
    committed: Project, make: Callable[[Project], str]
) -> None:
    reason = make(committed)

    [(file, message)] = _problems(committed).items()
    status = committed.json("status", now=NOON)

    assert message == f"it is never run: {reason}"
    assert [(problem["file"], problem["message"]) for problem in status["never_committed"]] == [(file, message)]
    assert file in committed.runner("status", now=NOON).stdout
    assert committed.runner("validate").returncode == 0


def test_files_that_git_stores_are_not_named_whatever_rule_matches_them(committed: Project) -> None:
    committed.write(".gitignore", "hello.yaml\n*.yml\n!tasks/kept.yaml\n")
    committed.write("tasks/kept.yaml", _TEXT)
    committed.git("update-index", "--skip-worktree", "tasks/hello.yaml")

    assert _problems(committed) == {}


def test_files_are_checked_where_there_is_no_repository_and_no_git(project: Project) -> None:
    project.task("hello")
    (project.root / ".git").rename(project.root.parent / "elsewhere")

    assert project.runner("validate", env={"PATH": "/nowhere"}).returncode == 0
    assert project.json("validate", "--format", "json")["problems"] == []


# What git would store


def _crlf_by_autocrlf(project: Project) -> None:
    project.git("config", "core.autocrlf", "true")


def _crlf_by_attributes(project: Project) -> None:
    project.write(".gitattributes", "*.yaml text eol=crlf\n")


def _another_encoding(project: Project) -> None:
    project.write(".gitattributes", "*.yaml text working-tree-encoding=UTF-16LE\n")


def _a_filter(project: Project) -> None:
    project.write(".gitattributes", "*.yaml filter=rot\n")
    for side in ("clean", "smudge"):
        project.git("config", f"filter.rot.{side}", "tr A-Za-z N-ZA-Mn-za-m")


@pytest.mark.parametrize("configure", [_crlf_by_autocrlf, _crlf_by_attributes, _another_encoding, _a_filter])
def test_a_clean_checkout_is_judged_by_what_git_has_and_not_by_its_bytes(
    committed: Project, configure: Callable[[Project], None]
) -> None:
    plain = (committed.root / "tasks/hello.yaml").read_bytes()
    configure(committed)
    committed.git("add", "--all", "--", ".", ":!tasks")
    committed.git("commit", "--quiet", "--allow-empty", "-m", "configure")
    (committed.root / "tasks/hello.yaml").unlink()
    committed.git("checkout", "--quiet", "--", "tasks")
    assert (committed.root / "tasks/hello.yaml").read_bytes() != plain

    assert committed.json("validate", "--format", "json")["problems"] == []
    assert committed.json("plan", "--json", now=NOON)["tasks"] == []
    assert committed.runner("run", "hello", "--worktree", now=NOON).stdout == "hi\n"
    assert not list(committed.root.glob(".git/objects/pack/tmp*"))


def test_an_edit_is_judged_by_what_git_would_store_of_it_and_nothing_is_stored(committed: Project) -> None:
    _crlf_by_autocrlf(committed)
    before = sorted(committed.root.glob(".git/objects/??/*"))
    edited = task_text("print('edited')\nprint(1 +)", cron="0 0 * * *").replace("\n", "\r\n")
    committed.write("tasks/hello.yaml", edited.encode())
    committed.write("tasks/new.yaml", _TEXT.replace("\n", "\r\n").encode())

    [problem] = committed.json("validate", "--format", "json")["problems"]

    assert (problem["file"], problem["code"]) == ("tasks/hello.yaml", "python")
    assert sorted(committed.root.glob(".git/objects/??/*")) == before


def test_files_that_a_sparse_checkout_leaves_out_are_not_missed(committed: Project) -> None:
    committed.task("far/away")
    committed.commit()
    committed.git("sparse-checkout", "set", "--no-cone", "/tasks/hello.yaml")
    assert not (committed.root / "tasks/far/away.yaml").exists()

    found = committed.json("validate", "--format", "json")

    assert (found["tasks"], found["problems"]) == (1, [])


# Contents with a name

_CONFLICT = _TEXT.replace("print", "<<<<<<< HEAD\n  print", 1).replace("  <<<<<<<", "<<<<<<<")


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "git-lfs", 1),
        (b"\0GITCRYPT\0\x01\x02", "git-crypt", 1),
        (
            b"active: true\n<<<<<<< HEAD\nfrequency: 1\n=======\nfrequency: 2\n>>>>>>> topic\nunit: days\n",
            "merge-conflict",
            2,
        ),
        (_CONFLICT.encode(), "merge-conflict", _CONFLICT.splitlines().index("<<<<<<< HEAD") + 1),
        (_TEXT.encode() + b">>>>>>> topic\n", "merge-conflict", _TEXT.count("\n") + 1),
    ],
)
@pytest.mark.parametrize("path", ["tasks/x.yaml", "runner.yaml"])
def test_a_content_that_is_no_task_file_is_called_by_its_name(
    committed: Project, content: bytes, code: str, line: int, path: str
) -> None:
    committed.runner("tick", now=NOON)
    committed.write(path, content)

    problems = committed.json("validate", "--format", "json")["problems"]
    committed.commit()
    stored = committed.json("status", now=NOON)["problems"]

    assert [(it["file"], it["code"], it["line"]) for it in problems] == [(path, code, line)]
    assert [(it["file"], it["code"], it["line"]) for it in stored if it["code"] != "git"] == [(path, code, line)]


def test_a_task_may_print_what_looks_like_a_conflict(committed: Project) -> None:
    committed.task("hello", 'print("""\n<<<<<<< HEAD\n=======\n>>>>>>> topic\n""")')

    assert committed.json("validate", "--format", "json")["problems"] == []


# A forgotten commit


@pytest.mark.parametrize("words", [("run", "hello"), ("why", "hello"), ("history", "hello")])
def test_a_forgotten_commit_is_said_by_whoever_asks_for_the_task(committed: Project, words: tuple[str, ...]) -> None:
    committed.runner("tick", now=NOON)
    before = committed.runner(*words, now=NOON)
    committed.task("hello", "print('edited')", cron="0 0 * * *")

    after = committed.runner(*words, now=NOON)

    said = "tasks/hello.yaml has edits that are not committed, and ticks do not run them: git add tasks/hello.yaml && git commit"
    assert said not in before.stdout + before.stderr
    assert said in (after.stdout if words[0] == "why" else after.stderr)


@pytest.mark.parametrize("command", ["run", "history", "next", "blame", "show", "logs", "list"])
def test_a_task_that_is_only_on_disk_is_said_to_be_not_committed(committed: Project, command: str) -> None:
    committed.task("new")

    done = committed.runner(command, "new", now=NOON)

    assert done.returncode == 2
    assert "there is no task new in the commit: tasks/new.yaml is not committed" in done.stderr
    assert "git add tasks/new.yaml && git commit; `runner run new --worktree` tries it before" in done.stderr


def test_a_trial_is_not_told_of_a_forgotten_commit(committed: Project) -> None:
    committed.task("hello", "print('edited')")

    done = committed.runner("run", "hello", "--worktree", now=NOON)

    assert "not committed" not in done.stderr


def test_status_names_no_data_beside_the_tasks_and_what_is_nearly_a_task_file(committed: Project) -> None:
    committed.write("tasks/data.csv", "1")
    committed.write("tasks/old.yaml.bak", _TEXT)
    (committed.root / "tasks/old.yaml.bak").chmod(stat.S_IRUSR | stat.S_IWUSR)
    committed.commit()

    said = committed.runner("status", now=NOON).stdout

    assert "tasks/old.yaml.bak" in said
    assert "data.csv" not in said
