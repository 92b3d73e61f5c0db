"""Only what is signed by an allowed key is taken over: with real keys, of SSH and of GPG."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import MINUTE, NOON, Project

_IN_CI = bool(os.environ.get("CI"))


pytestmark = pytest.mark.skipif(
    not _IN_CI and (shutil.which("ssh-keygen") is None or shutil.which("gpg") is None),
    reason="needs ssh-keygen and gpg, which .ci/run installs",
)


def _ssh_key(folder: Path, name: str) -> Path:
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    return key


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys of Ada, who may sign, and of Eve, who may not; `allowed` lists who may."""
    folder = tmp_path / "keys"
    folder.mkdir()
    ada, _ = _ssh_key(folder, "ada"), _ssh_key(folder, "eve")
    (folder / "allowed").write_text(f"ada@example.org {ada.with_suffix('.pub').read_text()}")
    return folder


def _sign_by(project: Project, key: Path | None) -> None:
    """Have commits signed by a key from now on, or by none."""
    project.git("config", "gpg.format", "ssh")
    project.git("config", "commit.gpgSign", "false" if key is None else "true")
    if key is not None:
        project.git("config", "user.signingKey", str(key))


def _sign_once_more(project: Project, key: Path) -> None:
    """Replace the last commit by one of the same content that is signed."""
    _sign_by(project, key)
    project.git("commit", "--quiet", "--amend", "--no-edit")


@pytest.fixture
def signed(project: Project, keys: Path) -> Project:
    """A repository that asks for signatures, with one task that Ada has signed, and that has run at noon."""
    _sign_by(project, keys / "ada")
    project.write("runner.yaml", f"git: {{require_signed: true, allowed_signers: {keys / 'allowed'}}}\n")
    project.task("hello", "print('by ada')")
    project.commit()
    _tick(project, 0)
    return project


def _tick(project: Project, minutes: int) -> None:
    project.tick(NOON + minutes * MINUTE)


def _last(project: Project, task: str = "hello") -> bytes:
    return project.show(project.runs(task)[-1].run_id).output


def _problems(project: Project) -> dict[str, str]:
    found = project.json("status", now=NOON + 30 * MINUTE)["problems"]
    return {problem["file"]: problem["message"] for problem in found if problem["code"] == "unsigned"}


def test_what_an_allowed_key_has_signed_is_taken_over(signed: Project) -> None:
    signed.task("hello", "print('again by ada')")
    signed.commit()
    _tick(signed, 1)

    assert _last(signed) == b"again by ada\n"
    assert _problems(signed) == {}


@pytest.mark.parametrize(
    ("key", "why"), [(None, "it has no signature"), ("eve", "its key is not among the allowed ones")]
)
def test_a_change_that_is_not_signed_by_an_allowed_key_leaves_the_last_accepted_version_in_force(
    signed: Project, keys: Path, key: str | None, why: str
) -> None:
    accepted = signed.git("rev-parse", "HEAD")
    _sign_by(signed, None if key is None else keys / key)
    signed.task("hello", "print('by somebody')")
    commit = signed.commit()
    _tick(signed, 1)

    assert _last(signed) == b"by ada\n"
    assert _problems(signed) == {"tasks/hello.yaml": f"commit {commit[:12]} changed it, and {why}"}
    [degraded] = signed.json("status", now=NOON + 30 * MINUTE)["degraded"]
    assert degraded == {"task": "hello", "valid_commit": accepted, "invalid_commit": commit}


def test_a_signed_commit_on_top_does_not_vouch_for_a_file_that_it_does_not_touch(signed: Project, keys: Path) -> None:
    _sign_by(signed, None)
    signed.task("hello", "print('by somebody')")
    signed.commit()
    _sign_by(signed, keys / "ada")
    signed.task("other", "print('by ada')")
    signed.commit()
    _tick(signed, 1)

    assert (_last(signed), _last(signed, "other")) == (b"by ada\n", b"by ada\n")
    assert list(_problems(signed)) == ["tasks/hello.yaml"]


def test_a_new_task_that_nobody_has_signed_does_not_run(signed: Project) -> None:
    _sign_by(signed, None)
    signed.task("new")
    signed.commit()
    _tick(signed, 1)

    assert signed.runs("new") == []
    assert signed.json("status", now=NOON + MINUTE)["invalid"] == ["new"]


def test_a_task_that_somebody_has_removed_who_may_not_goes_on(signed: Project) -> None:
    _sign_by(signed, None)
    (signed.root / "tasks/hello.yaml").unlink()
    signed.task("other")
    signed.commit()
    _tick(signed, 1)

    assert len(signed.runs("hello")) == 2
    assert "it has no signature" in _problems(signed)["tasks/hello.yaml"]


def test_a_task_that_somebody_has_renamed_who_may_not_goes_on_under_its_name(signed: Project) -> None:
    _sign_by(signed, None)
    signed.git("mv", "tasks/hello.yaml", "tasks/renamed.yaml")
    signed.commit()
    _tick(signed, 1)

    assert len(signed.runs("hello")) == 2
    assert signed.runs("renamed") == []


def test_who_may_not_change_a_task_may_not_switch_that_off_either(signed: Project) -> None:
    _sign_by(signed, None)
    signed.write("runner.yaml", "git: {require_signed: false}\nmax_parallel: 1\n")
    signed.commit()
    _tick(signed, 1)
    signed.task("hello", "print('by somebody')")
    signed.commit()
    _tick(signed, 2)

    assert _last(signed) == b"by ada\n"
    assert set(_problems(signed)) == {"runner.yaml", "tasks/hello.yaml"}


def test_settings_are_taken_over_once_the_same_content_is_signed(signed: Project, keys: Path) -> None:
    _sign_by(signed, None)
    signed.write("runner.yaml", "git: {require_signed: false}\nmax_parallel: 1\n")
    signed.commit()
    _tick(signed, 1)
    _sign_once_more(signed, keys / "ada")
    _tick(signed, 2)
    assert _problems(signed) == {}
    _sign_by(signed, None)
    signed.task("hello", "print('by somebody')")
    signed.commit()
    _tick(signed, 3)

    assert _last(signed) == b"by somebody\n"


def test_a_merge_that_brings_in_something_of_its_own_has_to_be_signed(signed: Project, keys: Path) -> None:
    signed.git("switch", "--quiet", "--create", "side")
    signed.task("other", "print('side')")
    signed.commit()
    signed.git("switch", "--quiet", "main")
    signed.task("third")
    signed.commit()
    _sign_by(signed, None)
    signed.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
    signed.task("hello", "print('hidden in a merge')")
    signed.commit()
    _tick(signed, 1)

    assert (_last(signed), _last(signed, "other")) == (b"by ada\n", b"side\n")
    assert list(_problems(signed)) == ["tasks/hello.yaml"]
    assert keys.exists()


def test_the_same_content_is_taken_over_once_it_is_signed(signed: Project, keys: Path) -> None:
    _sign_by(signed, None)
    signed.task("hello", "print('later signed')")
    signed.commit()
    _tick(signed, 1)
    _sign_once_more(signed, keys / "ada")
    _tick(signed, 2)

    assert _last(signed) == b"later signed\n"
    assert _problems(signed) == {}


def test_below_the_end_of_a_shallow_clone_nobody_is_trusted(signed: Project, tmp_path: Path) -> None:
    signed.task("other")
    signed.commit()
    signed.git("clone", "--quiet", "--depth=1", f"file://{signed.root}", str(tmp_path / "shallow"))
    shallow = Project(tmp_path / "shallow", tmp_path / "shallow-state")
    _tick(shallow, 0)

    assert shallow.runs() == []
    assert "the clone is shallow at commit" in _problems(shallow)["tasks/hello.yaml"]


def test_signatures_are_not_asked_for_where_the_settings_do_not_ask(project: Project) -> None:
    project.task("hello")
    project.commit()
    _tick(project, 0)

    assert len(project.runs("hello")) == 1


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A keyring of GPG with the key of Ada, which is trusted."""
    folder = Path(
        tempfile.mkdtemp(prefix="gpg-")
    )  # short: its agent's socket has a path of at most 108 bytes (unix(7))
    monkeypatch.setenv("GNUPGHOME", str(folder))
    _gpg("--quick-generate-key", "Ada <ada@example.org>", "ed25519", "sign", "never")
    _gpg("--quick-generate-key", "Eve <eve@example.org>", "ed25519", "sign", "never")
    yield folder
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env=dict(os.environ))
    shutil.rmtree(folder, ignore_errors=True)


def _gpg(*words: str, given: str = "") -> str:
    options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    done = subprocess.run(["gpg", *options, *words], input=given, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_key_of_gpg_counts_where_the_keyring_trusts_it(project: Project, keyring: Path) -> None:
    project.git("config", "commit.gpgSign", "true")
    project.git("config", "user.signingKey", "ada@example.org")
    project.write("runner.yaml", "git: {require_signed: true}\n")
    project.task("hello", "print('by ada')")
    project.commit()
    _tick(project, 0)
    assert _last(project) == b"by ada\n"
    listed = _gpg("--with-colons", "--list-keys", "eve@example.org").splitlines()
    fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    _gpg("--import-ownertrust", given=f"{fingerprint}:2:\n")
    project.git("config", "user.signingKey", "eve@example.org")
    project.task("hello", "print('by eve')")
    project.commit()
    _tick(project, 1)

    assert _last(project) == b"by ada\n"
    assert "its key is not among the allowed ones" in _problems(project)["tasks/hello.yaml"]
    assert keyring.exists()


def test_in_a_plan_what_would_be_refused_changes_nothing_and_the_problem_says_why(signed: Project, keys: Path) -> None:
    signed.task("removed", "print('by ada too')", cron="0 3 * * *")
    signed.commit()
    _tick(signed, 1)
    _sign_by(signed, keys / "eve")
    signed.task("hello", "print('by eve')")
    signed.task("new", "print('new')", cron="0 5 * * *")
    (signed.root / "tasks/removed.yaml").unlink()
    signed.commit()

    plan = signed.json("plan", "HEAD^", "HEAD", now=NOON + 2 * MINUTE)

    changes = {change["task"]: change for change in plan["tasks"]}
    assert {name: it["kinds"] for name, it in changes.items()} == {
        "hello": ["broken"],
        "new": ["added", "broken"],
        "removed": ["broken"],
    }
    assert all(changes[name]["before"] == changes[name]["after"] for name in changes)
    assert {problem["file"]: problem["code"] for problem in plan["problems"]} == {
        f"tasks/{name}.yaml": "unsigned" for name in changes
    }
