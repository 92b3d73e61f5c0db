"""Commands name what is on disk and in no commit: files that git will never store, and forgotten edits."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from tests.support.project import NOON, Project, task_text

pytestmark = pytest.mark.held
_TEXT = task_text("print('hi')")


def _problems(project: Project, *words: str) -> dict[str, str]:
    found = project.json("validate", "--format", "json", *words)["problems"]
    return {problem["file"]: problem["message"] for problem in found if problem["code"] == "never-committed"}


@pytest.fixture
def committed(project: Project) -> Project:
    project.task("hello", "print('hi')", cron="0 0 * * *")
    project.commit()
    return project


def _ignored_by(source: str, patterns: str, path: str = "tasks/x-local.yaml") -> Callable[[Project], str]:
    """Return what makes git ignore a task file, by the last line of a file of patterns, and returns the reason."""

    def make(project: Project) -> str:
        project.write(source, f"{patterns}\n")
        project.write(path, _TEXT)
        *before, pattern = patterns.split("\n")
        return f"git ignores it: line {len(before) + 1} of {source} has `{pattern}`"

    return make


def _in_a_repository_of_its_own(project: Project) -> str:
    nested = Project(project.root / "tasks/vendor", project.state)
    nested.root.mkdir()
    nested.git("init", "--quiet")
    project.write("tasks/vendor/deep/task.yaml", _TEXT)
    return "tasks/vendor is another git repository, whose files are not part of this repository's commits"


def _by_the_excludes_file_of_a_person(project: Project) -> str:
    excludes = project.write("../excludes", "x-local.yaml\n").resolve()
    project.git("config", "core.excludesFile", str(excludes))
    project.write("tasks/x-local.yaml", _TEXT)
    return f"git ignores it: line 1 of {excludes} has `x-local.yaml`"


def _in_a_work_tree_of_another_repository(project: Project) -> str:
    project.git("worktree", "add", "--quiet", "-b", "other", "tasks/vendor")
    return "tasks/vendor is another git repository, whose files are not part of this repository's commits"


def _in_a_submodule_that_is_not_there(project: Project) -> str:
    _in_a_submodule(project)
    project.git("submodule", "--quiet", "deinit", "--force", "tasks/vendor")
    project.write("tasks/vendor/deep/task.yaml", _TEXT)
    return "it is in the submodule tasks/vendor, whose files are not part of this repository's commits"


def _in_a_submodule(project: Project) -> str:
    other = Project.create(project.root.parent / "other", held=True)
    other.write("deep/task.yaml", _TEXT)
    other.commit()
    project.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.root), "tasks/vendor")
    project.commit()
    return "it is in the submodule tasks/vendor, whose files are not part of this repository's commits"


def _by_skip_worktree(project: Project) -> str:
    project.git("update-index", "--skip-worktree", "tasks/hello.yaml")
    project.task("hello", "print('edited')", cron="0 0 * * *")
    return "git ignores its edits (skip-worktree)"


def _by_assume_unchanged(project: Project) -> str:
    project.git("update-index", "--assume-unchanged", "tasks/hello.yaml")
    project.task("hello", "print('edited')", cron="0 0 * * *")
    return "git ignores its edits (assume-unchanged)"


_KINDS = [
    _ignored_by(".gitignore", "# ours\n*-local.yaml"),
    _ignored_by("tasks/.gitignore", "x-local.yaml"),
    _ignored_by(".git/info/exclude", "tasks/x-local.yaml"),
    _ignored_by(".gitignore", "/tasks/own", "tasks/own/x-local.yaml"),
    _by_the_excludes_file_of_a_person,
    _in_a_work_tree_of_another_repository,
    _in_a_submodule_that_is_not_there,
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


def test_files_that_git_stores_are_not_named_whatever_folder_they_lie_in(committed: Project) -> None:
    committed.task("old/tracked")
    committed.commit()
    committed.git("init", "--quiet", "tasks/old")
    committed.task("looks-like-one/new")
    (committed.root / "tasks/looks-like-one/.git").mkdir()

    assert _problems(committed) == {}


def test_a_root_below_the_top_of_its_repository_is_judged_like_any_other(committed: Project) -> None:
    below = Project(committed.root / "a b/schedules", committed.state)
    below.task("hello", "print('hi')", cron="0 0 * * *")
    below.task("x-local", "print('hi')")
    committed.write(".gitignore", "*-local.yaml\n")
    committed.write(".gitattributes", "*.yaml text eol=crlf\n")
    committed.commit()
    (below.root / "tasks/hello.yaml").unlink()
    committed.git("checkout", "--quiet", "--", "a b")
    below.task("new", "print(1 +)\n".replace("\n", "\r\n"))

    found = below.json("validate", "--format", "json")["problems"]

    assert [(it["file"], it["code"]) for it in found] == [
        ("tasks/new.yaml", "python"),
        ("tasks/x-local.yaml", "never-committed"),
    ]
    assert "line 1 of .gitignore has `*-local.yaml`" in found[1]["message"].replace("../", "")


# Files beside the tasks, which runs see


def _ignored_data(project: Project) -> str:
    project.write(".gitignore", "*.csv\n")
    project.write("tasks/a.csv", "1")
    project.write("tasks/b.csv", "1")
    return "no run sees it: git ignores it: line 1 of .gitignore has `*.csv`, and 1 more"


def _an_ignored_module(project: Project) -> str:
    project.write(".gitignore", "/lib/own/\n")
    project.write("lib/own/helpers.py", "")
    project.write("lib/own/more.py", "")
    return "no run sees it: git ignores it: line 1 of .gitignore has `/lib/own/`"


def _a_module_of_another_repository(project: Project) -> str:
    project.write("lib/own/helpers.py", "")
    project.git("init", "--quiet", "lib/own")
    return "no run sees it: lib/own is another git repository, whose files are not part of this repository's commits"


def _overlooked_data(project: Project) -> str:
    project.write("lib/helpers.py", "")
    project.commit()
    project.git("update-index", "--skip-worktree", "lib/helpers.py")
    project.write("lib/helpers.py", "edited = 1\n")
    return "no run sees it: git ignores its edits (skip-worktree)"


def _data_of_the_settings(project: Project) -> str:
    project.write("runner.yaml", "files: [sql]\n")
    project.write(".gitignore", "*.sql\n*.csv\n")
    project.commit()
    project.write("sql/a.sql", "select 1")
    project.write("tasks/not-seen-anyway.csv", "1")
    return "no run sees it: git ignores it: line 1 of .gitignore has `*.sql`"


@pytest.mark.parametrize(
    "make",
    [_ignored_data, _an_ignored_module, _a_module_of_another_repository, _overlooked_data, _data_of_the_settings],
)
def test_data_and_modules_that_git_will_never_store_are_named_once_for_each_reason(
    committed: Project, make: Callable[[Project], str]
) -> None:
    message = make(committed)
    committed.runner("tick", now=NOON)

    assert [*_problems(committed).values()] == [message]
    assert [it["message"] for it in committed.json("status", now=NOON)["never_committed"]] == [message]


def test_what_python_leaves_beside_modules_is_no_news(committed: Project) -> None:
    committed.write(".gitignore", "*.pyc\n__pycache__/\n")
    committed.write("lib/__pycache__/helpers.cpython-311.pyc", "")
    committed.write("tasks/old.pyc", "")

    assert _problems(committed) == {}


def test_data_that_is_edited_and_not_committed_is_named_like_a_task_file(committed: Project) -> None:
    committed.write("lib/helpers.py", "")
    committed.write("lib/__pycache__/helpers.cpython-311.pyc", "")
    committed.write("elsewhere/data.csv", "")

    assert committed.json("status", now=NOON)["uncommitted"] == ["lib/helpers.py"]


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


def _crlf_where_git_is_strict(project: Project) -> None:
    project.git("config", "core.autocrlf", "true")
    project.git("config", "core.safecrlf", "true")


def _a_filter(project: Project) -> None:
    project.write(".gitattributes", "*.yaml filter=rot\n")
    for side in ("clean", "smudge"):
        project.git("config", f"filter.rot.{side}", "tr A-Za-z N-ZA-Mn-za-m")


_CHECKOUTS = [_crlf_by_autocrlf, _crlf_by_attributes, _crlf_where_git_is_strict, _another_encoding, _a_filter]


@pytest.mark.parametrize("configure", _CHECKOUTS)
def test_a_clean_checkout_is_judged_by_what_git_has_and_not_by_its_bytes(
    committed: Project, configure: Callable[[Project], None]
) -> None:
    committed.write("runner.yaml", "max_parallel: 2\n")
    committed.commit()
    plain = (committed.root / "tasks/hello.yaml").read_bytes()
    configure(committed)
    committed.git("add", "--all", "--", ".", ":!tasks", ":!runner.yaml")
    committed.git("commit", "--quiet", "--allow-empty", "-m", "configure")
    for path in ("tasks/hello.yaml", "runner.yaml"):
        (committed.root / path).unlink()
    committed.git("checkout", "--quiet", "--", "tasks", "runner.yaml")
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


def test_line_ends_that_git_keeps_are_judged(committed: Project) -> None:
    """A file that was committed with CRLF keeps it, whatever the attributes are (gitattributes(5), `text=auto`)."""
    crlf = _TEXT.replace("\n", "\r\n")
    committed.write("tasks/hello.yaml", crlf.encode())
    committed.commit()
    _crlf_by_autocrlf(committed)
    committed.write("tasks/hello.yaml", crlf.replace("hi", "ho").encode())

    [problem] = committed.json("validate", "--format", "json")["problems"]

    assert (problem["file"], problem["code"]) == ("tasks/hello.yaml", "line-ends")


def test_a_filter_that_refuses_one_file_leaves_the_others_judged(committed: Project) -> None:
    committed.write(".gitattributes", "*.yaml text eol=crlf\nbad*.yaml filter=no\n")
    committed.git("config", "filter.no.clean", "false")
    committed.git("config", "filter.no.required", "true")
    for name in ("bad", "bad-too", "good"):
        committed.write(f"tasks/{name}.yaml", _TEXT.replace("\n", "\r\n").encode())

    found = committed.json("validate", "--format", "json")["problems"]

    assert [it["file"] for it in found] == ["tasks/bad-too.yaml", "tasks/bad.yaml"]


def test_judging_an_edit_changes_nothing_in_the_repository(committed: Project) -> None:
    committed.git("config", "core.splitIndex", "true")
    committed.git("config", "core.autocrlf", "true")
    hook = committed.write(".git/hooks/post-index-change", '#!/bin/sh\necho called >> "$GIT_DIR/called"\n')
    hook.chmod(0o755)
    committed.write("tasks/hello.yaml", _TEXT.replace("\n", "\r\n").replace("hi", "ho").encode())
    before = {path: path.read_bytes() for path in (committed.root / ".git").rglob("*") if path.is_file()}

    assert committed.json("validate", "--format", "json")["problems"] == []
    assert committed.runner("plan", now=NOON).returncode == 0
    assert {path: path.read_bytes() for path in (committed.root / ".git").rglob("*") if path.is_file()} == before


def test_a_plan_from_a_sparse_checkout_removes_nothing(committed: Project) -> None:
    committed.task("far/away", cron="0 0 * * *")
    committed.write("runner.yaml", "timezone: Europe/Berlin\n")
    committed.commit()
    committed.runner("tick", now=NOON)
    committed.git("sparse-checkout", "set", "--no-cone", "/tasks/hello.yaml")
    assert not (committed.root / "runner.yaml").exists()

    assert committed.json("plan", "--json", now=NOON)["tasks"] == []


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
        *(
            (_TEXT.encode() + rest + b"\n", "merge-conflict", _TEXT.count("\n") + 1)
            for rest in (
                b">>>>>>> topic",
                b">>>>>>>",
                b"=======",
                b"=======\r",
                b"<<<<<<<",
                b"||||||| 1234abc",
                b"|||||||",
            )
        ),
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


def _edited(project: Project) -> str:
    project.task("hello", "print('edited')", cron="0 0 * * *")
    return "tasks/hello.yaml has edits that are not committed, and ticks do not run them: git add tasks/hello.yaml && git commit"


def _added(project: Project) -> str:
    said = _edited(project)
    project.git("add", "tasks/hello.yaml")
    return said


def _removed(project: Project) -> str:
    (project.root / "tasks/hello.yaml").unlink()
    return (
        "tasks/hello.yaml was removed from disk, which is not committed, and ticks run it as before: "
        "git rm tasks/hello.yaml && git commit, or bring it back: git checkout HEAD -- tasks/hello.yaml"
    )


def _removed_from_the_index(project: Project) -> str:
    said = _removed(project)
    project.git("rm", "--quiet", "tasks/hello.yaml")
    return said


def _overlooked(project: Project) -> str:
    _by_skip_worktree(project)
    return (
        "tasks/hello.yaml has edits, and ticks do not run them: git ignores its edits (skip-worktree): "
        "git update-index --no-skip-worktree tasks/hello.yaml"
    )


@pytest.mark.parametrize("edit", [_edited, _added, _removed, _removed_from_the_index, _overlooked])
@pytest.mark.parametrize("words", [("run", "hello"), ("why", "hello"), ("history", "hello")])
def test_a_forgotten_commit_is_said_wherever_the_task_is_asked_for(
    committed: Project, words: tuple[str, ...], edit: Callable[[Project], str]
) -> None:
    committed.runner("tick", now=NOON)
    before = committed.runner(*words, now=NOON)
    said = edit(committed)

    after = committed.runner(*words, now=NOON)

    assert said not in before.stdout + before.stderr
    assert said in (after.stdout if words[0] == "why" else after.stderr)


def _only_on_disk(project: Project) -> tuple[str, str]:
    project.task("new")
    hint = "commit it: git add tasks/new.yaml && git commit; `runner run new --worktree` tries it before"
    return "there is no task new in the commit: tasks/new.yaml is not committed", hint


def _only_in_the_index(project: Project) -> tuple[str, str]:
    said = _only_on_disk(project)
    project.git("add", "tasks/new.yaml")
    return said


def _ignored(project: Project) -> tuple[str, str]:
    project.task("new")
    project.write(".gitignore", "/tasks/n*\n")
    message = (
        "there is no task new in the commit: tasks/new.yaml is on disk, and "
        "git ignores it: line 1 of .gitignore has `/tasks/n*`"
    )
    return message, "change that line, or: git add --force tasks/new.yaml"


def _on_another_branch(project: Project) -> tuple[str, str]:
    project.git("checkout", "--quiet", "-b", "topic")
    project.task("new")
    project.commit()
    hint = "merge topic into main; `runner run new --worktree` tries it before"
    return "there is no task new in main, which ticks follow: tasks/new.yaml is committed in topic", hint


def _in_a_commit_without_a_branch(project: Project) -> tuple[str, str]:
    message, hint = _on_another_branch(project)
    project.git("checkout", "--quiet", "--detach")
    where = "the commit that is checked out"
    return message.replace("in topic", f"in {where}"), hint.replace("topic", where)


_ABSENCES = [_only_on_disk, _only_in_the_index, _ignored, _on_another_branch, _in_a_commit_without_a_branch]


@pytest.mark.parametrize("command", ["run", "why", "history", "next", "blame", "show", "logs", "list"])
@pytest.mark.parametrize("make", _ABSENCES)
def test_a_task_that_is_only_on_disk_is_said_to_be_none_that_ticks_run(
    committed: Project, command: str, make: Callable[[Project], tuple[str, str]]
) -> None:
    committed.git("branch", "--move", "main")
    committed.write("runner.yaml", "git: {ref: main}\n")
    committed.commit()
    committed.runner("tick", now=NOON)
    message, hint = make(committed)

    done = committed.runner(command, "new", now=NOON)

    said = done.stdout if command == "why" else done.stderr
    assert message in said
    assert hint in said
    assert done.returncode == (0 if command == "why" else 2)


@pytest.mark.parametrize("command", ["history", "blame", "show", "logs"])
def test_a_task_that_is_committed_and_no_tick_has_read_is_not_said_to_be_uncommitted(
    committed: Project, command: str
) -> None:
    done = committed.runner(command, "hello", now=NOON)

    assert done.returncode == 2
    assert "no tick has read the task hello yet: tasks/hello.yaml is committed" in done.stderr
    assert "hint: `runner tick` reads it" in done.stderr


@pytest.mark.parametrize("task", ["../outside", "a/../hello", "/etc/passwd", ".hidden", "a b", "new.yaml"])
def test_what_can_be_no_id_is_not_looked_for_on_disk(committed: Project, task: str) -> None:
    committed.write("outside.yaml", _TEXT)
    committed.write("tasks/.hidden.yaml", _TEXT)
    committed.write("tasks/a b.yaml", _TEXT)

    done = committed.runner("run", task, now=NOON)

    assert done.returncode == 2
    assert f"there is no task {task}\n" in done.stderr
    assert "git add" not in done.stderr


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
