"""Git answers the same whatever the person who asks has settled, or has in the environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runner.errors import GitError
from runner.repo import checkout, head, log, process, refs, tree, trust
from runner.repo.batch import Batch
from runner.repo.branch import NewFile, commit_on_branch
from runner.repo.location import locate
from tests.support.hostile import HOSTILE, config
from tests.support.project import Project
from tests.support.waiting import wait_until

_EACH = tuple(pair for settings in HOSTILE.values() for pair in settings)
_OF_A_REPOSITORY = {
    "GIT_DIR": "{other}/.git",
    "GIT_WORK_TREE": "{other}",
    "GIT_COMMON_DIR": "{other}/.git",
    "GIT_INDEX_FILE": "{other}/.git/index",
    "GIT_OBJECT_DIRECTORY": "{other}/.git/objects",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES": "{other}/.git/objects",
    "GIT_NAMESPACE": "other",
    "GIT_CEILING_DIRECTORIES": "{root}",
    "GIT_PREFIX": "tasks/",
    "GIT_REPLACE_REF_BASE": "refs/heads/",
    "GIT_GRAFT_FILE": "{other}/grafts",
    "GIT_SHALLOW_FILE": "{other}/shallow",
    "GIT_CONFIG": "{other}/.git/config",
    "GIT_EXTERNAL_DIFF": "false",
    "GIT_DIFF_OPTS": "-u0",
    "GIT_PAGER": "false",
    "GIT_ICASE_PATHSPECS": "1",
    "GIT_GLOB_PATHSPECS": "1",
    "GIT_NOGLOB_PATHSPECS": "1",
    "GIT_LITERAL_PATHSPECS": "0",
    "GIT_TRACE": "1",
    "GIT_TRACE_SETUP": "2",
    "GIT_TRACE2": "1",
    "GIT_REF_PARANOIA": "0",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_NO_REPLACE_OBJECTS": "",
    "GIT_QUARANTINE_PATH": "{other}",
}
_OF_A_PERSON = {
    "GIT_SSH_COMMAND": "ssh -i key",
    "GIT_SSH": "/usr/bin/ssh",
    "GIT_SSH_VARIANT": "simple",
    "GIT_SSL_CAINFO": "/etc/ca",
    "GIT_SSL_NO_VERIFY": "1",
    "GIT_PROXY_SSL_CERT": "/etc/cert",
    "GIT_HTTP_USER_AGENT": "runner",
    "GIT_ASKPASS": "/bin/pass",
    "GIT_ALLOW_PROTOCOL": "https",
    "GIT_PROTOCOL": "version=2",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "a.b",
    "GIT_CONFIG_VALUE_0": "c",
    "GIT_CONFIG_PARAMETERS": "'a.b=c'",
    "GIT_CONFIG_GLOBAL": "/etc/gitconfig",
    "GIT_CONFIG_SYSTEM": "/etc/gitconfig",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_EXEC_PATH": "/usr/lib/git-core",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "HTTPS_PROXY": "http://proxy",
    "https_proxy": "http://proxy",
    "SSH_AUTH_SOCK": "/run/agent",
    "SUDO_UID": "1000",
    "HOME": "/home/ada",
    "XDG_CONFIG_HOME": "/home/ada/.config",
    "GNUPGHOME": "/home/ada/.gnupg",
}


@pytest.fixture
def rich(project: Project) -> Project:
    """A repository in which there is something to be said about everything: names, renames, merges, edits."""
    project.task("hello", "\n".join(f"print({number})" for number in range(30)), description="naïve")
    project.task("tönen", "pass")
    project.write("runner.yaml", "timezone: Europe/Berlin\n")
    project.commit("Läuft stündlich (#12)\n\nWeil: so.")
    project.git("tag", "-a", "-m", "first", "v1")
    project.git("switch", "--quiet", "--create", "side")
    project.git("mv", "tasks/hello.yaml", "tasks/renamed.yaml")
    project.commit("Rename it")
    project.git("switch", "--quiet", "main")
    project.task("third")
    project.commit("Add a third")
    project.git("merge", "--quiet", "--no-ff", "--message", "Merge side", "side")
    project.git("notes", "add", "--message", "a note")
    project.write(".gitattributes", "*.yaml diff=odd\n")
    project.write(".mailmap", "Eve <eve@example.org> <ada@example.org>\n")
    project.task("third", "print('edited')")
    project.task("new")
    return project


def _answers(project: Project) -> dict[str, object]:
    root = str(project.root)
    commit = refs.find(root, "HEAD").commit
    first = refs.find(root, "v1").commit
    [blob] = [file.blob for file in tree.everything(root, commit).files if file.path == "tasks/renamed.yaml"]
    return {
        "located": locate(root),
        "head": head.commit_at(root, "HEAD"),
        "found": [refs.find(root, name) for name in ("main", "side", "v1", "main~1", commit[:9])],
        "named": refs.resolve(root, "main^{/Rename}"),
        "everything": tree.everything(root, commit),
        "difference": tree.difference(root, first, commit),
        "same": (head.is_same(root, first, commit, "tasks"), head.is_same(root, first, commit, "runner.yaml")),
        "base": tree.merge_base(root, "main", "side"),
        "settings": tree.settings_at(root, commit),
        "blobs": list(tree.read_blobs(root, [blob], 1000)),
        "commits": log.commits(root, [first, commit]),
        "history": log.history_of(root, None, commit, "tasks/renamed.yaml"),
        "touching": log.last_touching(root, commit, "runner.yaml", "^timezone"),
        "touched": log.last_touching(root, commit, "tasks/renamed.yaml"),
        "count": log.count_between(root, first, "refs/heads/main"),
        "uncommitted": checkout.uncommitted(locate(root)),
    }


def test_the_repository_that_is_asked_has_something_to_say_about_everything(rich: Project) -> None:
    answers = _answers(rich)

    assert answers["uncommitted"] == ("tasks/new.yaml", "tasks/third.yaml")
    assert [commit.subject for commit in answers["history"]] == ["Rename it", "Läuft stündlich (#12)"]  # type: ignore[attr-defined]
    assert answers["difference"].renamed == (("tasks/hello.yaml", "tasks/renamed.yaml"),)  # type: ignore[attr-defined]
    assert answers["count"] == 3
    assert None not in answers.values()


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_setting_of_a_person_changes_an_answer(
    rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    answers = _answers(rich)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config(tmp_path / "gitconfig", HOSTILE[kind])))

    assert _answers(rich) == answers


def test_no_setting_in_the_environment_or_of_the_repository_changes_an_answer(
    rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = _answers(rich)
    own = rich.root / ".git/config"
    own.write_text(own.read_text() + config(tmp_path / "gitconfig", _EACH).read_text())
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(_EACH)))
    for number, (name, value) in enumerate(_EACH):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)

    assert _answers(rich) == answers


@pytest.mark.parametrize("name", _OF_A_REPOSITORY)
def test_no_variable_leads_git_elsewhere_or_changes_what_it_prints(
    rich: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    answers = _answers(rich)
    other = Project.create(tmp_path / "other")
    commit = other.commit("elsewhere")
    (other.root / "grafts").write_text(f"{rich.git('rev-parse', 'HEAD')}\n")
    (other.root / "shallow").write_text(f"{rich.git('rev-parse', 'HEAD')}\n")
    monkeypatch.setenv(name, _OF_A_REPOSITORY[name].format(other=other.root, root=rich.root))

    assert _answers(rich) == answers
    assert commit


def test_all_variables_that_git_itself_calls_local_are_dropped_but_those_of_its_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True)
    names = set(listed.stdout.split())
    for name in names:
        monkeypatch.setenv(name, "mine")

    kept = {name for name in names if process.environment().get(name) == "mine"}

    assert kept == {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"} & names


def test_how_a_remote_is_reached_and_whom_to_trust_stays_as_the_person_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _OF_A_PERSON.items():
        monkeypatch.setenv(name, value)

    environment = process.environment()

    assert {name: environment.get(name) for name in _OF_A_PERSON} == _OF_A_PERSON


def _hanging_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a git in front of the real one that starts a helper, which holds all pipes, and waits for it."""
    folder, noted = tmp_path / "bin", tmp_path / "pid"
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {noted}.new && mv {noted}.new {noted}\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return noted


@pytest.mark.parametrize("way", ["git", "ask", "batch"])
def test_every_way_to_ask_git_has_a_time_limit_after_which_nothing_of_it_is_left(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    noted = _hanging_git(tmp_path, monkeypatch)
    root = str(project.root)

    if way == "ask":
        assert process.ask(root, "show-ref", patience=0.5) == (127, "")
    elif way == "git":
        with pytest.raises(GitError, match=r"git show-ref did not end within 0 s"):
            process.git(root, "show-ref", patience=0.4)
    else:
        with Batch(root, patience=0.4) as batch, pytest.raises(GitError, match="git cat-file did not end"):
            batch.content("0" * 40, 1)

    helper = int(noted.read_text())
    wait_until(lambda: not _runs(helper))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("is_at_terminal", [False, True])
def test_only_a_commit_that_a_person_waits_for_may_ask_at_the_terminal(
    project: Project, *, is_at_terminal: bool
) -> None:
    noted = project.root.parent / "session"
    program = project.root.parent / "sign"
    signs = "cat > /dev/null\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\necho signature\n"
    program.write_text(f"#!/bin/sh\ncut -d' ' -f6 /proc/$$/stat > {noted}\n{signs}")
    program.chmod(0o755)
    base = project.commit()
    project.give_identity()
    project.git("config", "gpg.program", str(program))
    project.git("config", "commit.gpgSign", "true")
    root = str(project.root)

    if is_at_terminal:
        commit_on_branch(root, "new", base, NewFile("tasks/new.yaml", "x"), "Add it")
    else:
        process.git(root, "commit", "--quiet", "--allow-empty", "--message", "Add it")

    assert (int(noted.read_text()) == os.getsid(0)) == is_at_terminal


def test_a_large_blob_is_read_only_as_far_as_it_is_wanted(project: Project) -> None:
    project.write("large", b"x" * 3_000_000)
    project.write("small", b"y\n")
    project.commit()
    large, small = project.git("rev-parse", "HEAD:large"), project.git("rev-parse", "HEAD:small")

    found = list(tree.read_blobs(str(project.root), [large, small, large, small], 10))

    assert found == [(large, b"x" * 11), (small, b"y\n")] * 2


def test_an_object_that_is_missing_is_named(project: Project) -> None:
    project.commit()

    with pytest.raises(GitError, match="git has lost the object 1234"):
        list(tree.read_blobs(str(project.root), ["1234" * 10], 10))


@pytest.mark.parametrize("kind", ["blob", "tree", "commit", "parents"])
def test_nothing_stands_in_for_an_object(project: Project, kind: str) -> None:
    project.task("hello", "print('reviewed')")
    first = project.commit()
    project.task("hello", "print('hidden')")
    second = project.commit()
    root = str(project.root)
    before = (tree.everything(root, first), tree.everything(root, second), log.count_between(root, first, "HEAD"))
    if kind == "parents":
        (project.root / ".git/info").mkdir(exist_ok=True)
        (project.root / ".git/info/grafts").write_text(f"{second}\n")
    else:
        path = {"blob": ":tasks/hello.yaml", "tree": "^{tree}", "commit": ""}[kind]
        project.git("replace", f"{first}{path}", f"{second}{path}")
    [file] = tree.everything(root, first).files

    after = (tree.everything(root, first), tree.everything(root, second), log.count_between(root, first, "HEAD"))
    assert after == before
    assert b"reviewed" in next(iter(tree.read_blobs(root, [file.blob], 1000)))[1]
    assert trust.__name__


@pytest.mark.parametrize("name", ["a $HOME b", "$x", "~ada", "ünï", "a%20b", "-rf", "new\nline", "*"])
def test_a_repository_may_lie_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("x", "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    project = Project.create(tmp_path / name)
    project.task("hello")
    commit = project.commit()
    project.task("edited")

    assert refs.find(str(project.root), "main").commit == commit
    assert checkout.uncommitted(locate(str(project.root))) == ("tasks/edited.yaml",)
