"""Only what is signed by an allowed key is taken over: with real keys, of SSH and of GPG."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile import HOSTILE, config
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


def _count(project: Project, task: str) -> int:
    return sum(run.task == task for run in project.runs())


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


def _back_to(project: Project, commit: str, how: str) -> None:
    """Bring the files of an old, signed commit back without a signature."""
    _sign_by(project, None)
    if how == "a forced push":
        project.git("reset", "--quiet", "--hard", commit)
    elif how == "a merge":
        old = project.git("commit-tree", "-m", "beside", "-p", commit, f"{commit}^{{tree}}")
        merge = project.git("commit-tree", "-m", "merge", "-p", "HEAD", "-p", old, f"{commit}^{{tree}}")
        project.git("reset", "--quiet", "--hard", merge)
    elif how == "a merge of the old commit itself":
        merge = project.git("commit-tree", "-m", "merge", "-p", commit, "-p", "HEAD", f"{commit}^{{tree}}")
        project.git("reset", "--quiet", "--hard", merge)
    elif how == "a revert":
        revert = project.git("commit-tree", "-m", "revert", "-p", "HEAD", f"{commit}^{{tree}}")
        project.git("reset", "--quiet", "--hard", revert)
    else:
        cut = project.git("commit-tree", "-m", "another history", f"{commit}^{{tree}}")
        project.git("reset", "--quiet", "--hard", cut)


_WAYS_BACK = (
    *("a forced push", "a merge", "a merge of the old commit itself", "a revert"),
    "another history",
)


@pytest.mark.parametrize("how", _WAYS_BACK)
def test_an_old_version_and_a_removed_task_do_not_come_back_by_their_old_signatures(
    signed: Project, keys: Path, how: str
) -> None:
    signed.task("removed", "\n".join(f"print({number})" for number in range(20)))  # so that nothing is a rename
    old = signed.commit()
    _tick(signed, 1)
    signed.task("hello", "print('mended')")
    (signed.root / "tasks/removed.yaml").unlink()
    signed.task("added", "print('added')")
    signed.commit()
    _tick(signed, 2)
    ran = _count(signed, "removed")

    _back_to(signed, old, how)
    _tick(signed, 3)
    _tick(signed, 4)

    assert (_last(signed), _last(signed, "added")) == (b"mended\n", b"added\n")
    assert (_count(signed, "removed"), _count(signed, "added")) == (ran, 3)
    assert set(_problems(signed)) == {"tasks/hello.yaml", "tasks/removed.yaml", "tasks/added.yaml"}
    # Whoever may sign can still decide so.
    _sign_by(signed, keys / "ada")
    signed.task("hello", "print('by ada, once more')")
    signed.commit()
    _tick(signed, 5)
    assert _last(signed) == b"by ada, once more\n"
    assert set(_problems(signed)) == {"tasks/removed.yaml", "tasks/added.yaml"}


def test_a_line_of_work_that_was_left_does_not_come_back_by_its_old_signatures(signed: Project) -> None:
    base = signed.git("rev-parse", "HEAD")
    signed.task("hello", "print('left')")
    left = signed.commit()
    _tick(signed, 1)
    signed.git("reset", "--quiet", "--hard", base)
    signed.task("hello", "print('rewritten')")
    rewritten = signed.commit()
    _tick(signed, 2)
    assert _last(signed) == b"rewritten\n"

    signed.git("reset", "--quiet", "--hard", left)
    _tick(signed, 3)
    assert _last(signed) == b"rewritten\n"
    assert "its content is older" in _problems(signed)["tasks/hello.yaml"]

    signed.git("reset", "--quiet", "--hard", rewritten)
    _tick(signed, 4)
    assert _problems(signed) == {}


def test_commits_that_leave_the_tasks_as_they_are_are_looked_at_too(signed: Project) -> None:
    signed.task("hello", "print('for a moment')")
    moment = signed.commit()
    signed.task("hello", "print('by ada')")
    signed.commit()
    signed.runner("tick", now=NOON + MINUTE)
    signed.task("hello", "print('mended')")
    signed.commit()
    signed.runner("tick", now=NOON + 2 * MINUTE)

    signed.git("reset", "--quiet", "--hard", moment)
    signed.runner("tick", now=NOON + 3 * MINUTE)

    assert _last(signed) == b"mended\n"


@pytest.mark.parametrize("how", _WAYS_BACK)
def test_that_signatures_are_asked_for_is_not_switched_off_by_an_old_signed_runner_yaml(
    project: Project, keys: Path, how: str
) -> None:
    _sign_by(project, keys / "ada")
    asked = f"git: {{require_signed: true, allowed_signers: {keys / 'allowed'}}}\n"
    project.task("hello", "print('by ada')")
    project.write("runner.yaml", "git: {require_signed: false}\nmax_parallel: 1\n")
    old = project.commit()
    _tick(project, 0)
    project.write("runner.yaml", asked)
    project.commit()
    _tick(project, 1)

    _back_to(project, old, how)
    _tick(project, 2)
    project.task("hello", "print('by somebody')")
    project.commit()
    _tick(project, 3)

    assert _last(project) == b"by ada\n"
    assert set(_problems(project)) == {"runner.yaml", "tasks/hello.yaml"}


def test_the_runner_yaml_that_says_what_is_followed_is_asked_for_a_new_signature_as_well(
    project: Project, keys: Path, tmp_path: Path
) -> None:
    _sign_by(project, keys / "ada")
    project.task("hello", "print('by ada')")
    project.write("runner.yaml", "git: {ref: origin/main}\n")
    old = project.commit()
    project.write(
        "runner.yaml", f"git: {{ref: origin/main, require_signed: true, allowed_signers: {keys / 'allowed'}}}\n"
    )
    project.commit()
    project.git("clone", "--quiet", f"file://{project.root}", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", tmp_path / "clone-state")
    _tick(clone, 0)

    clone.git("reset", "--quiet", "--hard", old)
    _tick(clone, 1)
    _sign_by(project, None)
    project.task("hello", "print('by somebody')")
    project.commit()
    clone.git("fetch", "--quiet")
    _tick(clone, 2)

    assert _last(clone) == b"by ada\n"
    assert set(_problems(clone)) == {"HEAD:runner.yaml", "tasks/hello.yaml"}
    clone.git("reset", "--quiet", "--hard", "origin/main")
    _tick(clone, 3)
    assert set(_problems(clone)) == {"tasks/hello.yaml"}


def test_a_change_that_is_signed_may_be_merged_by_anybody(signed: Project) -> None:
    signed.git("switch", "--quiet", "--create", "side")
    signed.task("hello", "print('signed beside')")
    signed.task("new", "print('new')")
    signed.commit()
    signed.git("switch", "--quiet", "main")
    signed.task("third")
    signed.commit()
    _tick(signed, 1)
    _sign_by(signed, None)
    signed.git("merge", "--quiet", "--no-ff", "--message", "merge", "side")
    _tick(signed, 2)

    assert (_last(signed), _last(signed, "new")) == (b"signed beside\n", b"new\n")
    assert _problems(signed) == {}


def test_a_signed_change_that_another_has_overtaken_does_not_count_whoever_merges_it(signed: Project) -> None:
    signed.task("hello", "print('overtaken')")
    overtaken = signed.commit()
    signed.task("hello", "print('mended')")
    signed.commit()
    _back_to(signed, overtaken, "a merge of the old commit itself")
    _tick(signed, 1)

    assert _last(signed) == b"by ada\n"
    assert "no commit after that gave it the content that it has now" in _problems(signed)["tasks/hello.yaml"]


def test_what_is_put_back_to_what_is_in_force_needs_no_signature(signed: Project) -> None:
    _sign_by(signed, None)
    before = (signed.root / "tasks/hello.yaml").read_text()
    signed.task("hello", "print('by somebody')")
    signed.commit()
    _tick(signed, 1)
    assert set(_problems(signed)) == {"tasks/hello.yaml"}
    signed.write("tasks/hello.yaml", before)
    signed.commit()
    _tick(signed, 2)

    assert _problems(signed) == {}
    assert signed.json("status", now=NOON + 2 * MINUTE)["degraded"] == []


def _allow(keys: Path, name: str) -> None:
    with (keys / "allowed").open("a") as allowed:
        allowed.write(f"{name}@example.org {(keys / name).with_suffix('.pub').read_text()}")


def test_a_key_that_is_allowed_later_has_what_was_refused_looked_at_again_without_another_commit(
    signed: Project, keys: Path
) -> None:
    signed.task("gone", frequency=1, unit="days")
    signed.commit()
    _tick(signed, 1)
    _sign_by(signed, keys / "eve")
    signed.task("hello", "print('by eve')", frequency=1, unit="days")
    signed.task("new", "print('new by eve')", frequency=1, unit="days")
    (signed.root / "tasks/gone.yaml").unlink()
    signed.write("runner.yaml", (signed.root / "runner.yaml").read_text() + "timezone: Europe/Berlin\n")
    signed.commit()
    for minute in (2, 3):
        signed.runner("tick", now=NOON + minute * MINUTE)
    refused = {"tasks/hello.yaml", "tasks/new.yaml", "tasks/gone.yaml", "runner.yaml"}
    assert (_last(signed), set(_problems(signed))) == (b"by ada\n", refused)
    _allow(keys, "eve")

    done = signed.runner("tick", now=NOON + 4 * MINUTE)

    assert (done.returncode, done.stderr, "problems" in done.stdout) == (0, "", False)
    assert _problems(signed) == {}
    assert _last(signed, "new") == b"new by eve\n"
    assert {entry["task"] for entry in signed.json("list", now=NOON + 4 * MINUTE)} == {"hello", "new"}
    assert "CEST" in done.stdout


def test_what_stays_refused_costs_no_write_at_every_tick(signed: Project) -> None:
    signed.task("hello", "print('by ada')", frequency=1, unit="days")
    signed.commit()
    _tick(signed, 1)
    _sign_by(signed, None)
    signed.task("hello", "print('by somebody')", frequency=1, unit="days")
    signed.commit()
    signed.runner("tick", now=NOON + 2 * MINUTE)
    before = [path.read_bytes() for path in sorted(signed.state.glob("runner.db*")) if path.suffix != ".db-shm"]

    signed.runner("tick", now=NOON + 3 * MINUTE)

    after = [path.read_bytes() for path in sorted(signed.state.glob("runner.db*")) if path.suffix != ".db-shm"]
    assert after == before
    assert set(_problems(signed)) == {"tasks/hello.yaml"}


def _throw_away(project: Project) -> None:
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "--quiet", "--prune=now")


def test_where_the_known_commit_is_gone_nothing_is_taken_over_until_somebody_signs_anew(
    signed: Project, keys: Path
) -> None:
    root = signed.git("commit-tree", "-m", "another history", "HEAD^{tree}")
    known = signed.git("rev-parse", "HEAD")
    signed.git("reset", "--quiet", "--hard", root)
    signed.task("hello", "print('signed before, or not')")
    signed.commit()
    _throw_away(signed)
    _tick(signed, 1)

    assert _last(signed) == b"by ada\n"
    assert f"commit {known[:12]}, which was known before, is gone" in _problems(signed)["tasks/hello.yaml"]
    _sign_by(signed, keys / "ada")
    signed.task("hello", "print('signed anew')")
    signed.commit()
    _tick(signed, 2)
    assert (_last(signed), _problems(signed)) == (b"signed anew\n", {})


@pytest.mark.parametrize("depth", [1, 2])
def test_in_a_shallow_clone_a_forced_push_back_brings_nothing_back(signed: Project, tmp_path: Path, depth: int) -> None:
    signed.task("hello", "print('old')")
    signed.commit()
    signed.write("README", "something else")
    old = signed.commit()
    for version in ("older", "newer", "mended"):
        signed.task("hello", f"print('{version}')")
        signed.commit()
    signed.git("branch", "followed")
    signed.git(
        "clone",
        "--quiet",
        f"--depth={depth + 1}",
        "--branch=followed",
        f"file://{signed.root}",
        str(tmp_path / "shallow"),
    )
    shallow = Project(tmp_path / "shallow", tmp_path / "shallow-state")
    _tick(shallow, 0)
    assert _last(shallow) == b"mended\n"

    signed.git("branch", "--force", "followed", old)
    shallow.git("fetch", "--quiet", f"--depth={depth}", "origin", "followed")
    shallow.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    _tick(shallow, 1)

    assert _last(shallow) == b"mended\n"
    assert "the clone is shallow at commit" in _problems(shallow)["tasks/hello.yaml"]


def test_what_an_older_runner_has_refused_is_not_taken_over_by_the_next_one(signed: Project) -> None:
    _sign_by(signed, None)
    signed.task("hello", "print('by somebody')")
    signed.commit()
    _tick(signed, 1)
    with signed.database() as database:
        database.execute("UPDATE catalog SET seen = ''")
        database.commit()
    signed.write("README", "something else")
    signed.commit()

    _tick(signed, 2)

    assert (_last(signed), set(_problems(signed))) == (b"by ada\n", {"tasks/hello.yaml"})


def test_a_key_of_gpg_that_is_trusted_later_counts_without_another_commit(project: Project, keyring: Path) -> None:
    project.write("runner.yaml", "git: {require_signed: true}\n")
    project.task("hello", "print('by ada')", frequency=1, unit="days")
    listed = _gpg("--with-colons", "--list-keys", "eve@example.org").splitlines()
    fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    _gpg("--import-ownertrust", given=f"{fingerprint}:2:\n")
    project.git("config", "commit.gpgSign", "true")
    project.git("config", "user.signingKey", "ada@example.org")
    project.commit()
    _tick(project, 0)
    project.git("config", "user.signingKey", "eve@example.org")
    project.task("new", "print('by eve')")
    project.commit()
    _tick(project, 1)
    assert project.runs("new") == []
    _gpg("--import-ownertrust", given=f"{fingerprint}:6:\n")

    project.runner("tick", now=NOON + 2 * MINUTE)

    assert _last(project, "new") == b"by eve\n"
    assert keyring.exists()


@pytest.mark.parametrize("kind", ["signatures", "logs", "encodings", "colours"])
def test_no_setting_of_git_changes_who_is_trusted(signed: Project, tmp_path: Path, kind: str) -> None:
    env = {"GIT_CONFIG_GLOBAL": str(config(tmp_path / "gitconfig", HOSTILE[kind]))}
    signed.task("hello", "print('again by ada')")
    signed.commit()
    _sign_by(signed, None)
    signed.task("new")
    signed.commit()

    done = signed.runner("tick", now=NOON + MINUTE, env=env)

    assert (done.returncode, done.stderr) == (0, "")
    assert (_last(signed), signed.runs("new")) == (b"again by ada\n", [])
    assert "it has no signature" in _problems(signed)["tasks/new.yaml"]


_ASK_LIB = "import shop\nprint(shop.who)"


@pytest.fixture
def with_lib(signed: Project) -> Project:
    signed.write("lib/shop.py", "who = 'ada'\n")
    signed.task("hello", _ASK_LIB)
    signed.commit()
    _tick(signed, 1)
    return signed


def test_a_module_that_who_may_not_has_changed_is_not_run_until_it_is_signed(with_lib: Project, keys: Path) -> None:
    _sign_by(with_lib, None)
    with_lib.write("lib/shop.py", "who = 'eve'\n")
    commit = with_lib.commit()
    _tick(with_lib, 2)
    assert _last(with_lib) == b"ada\n"
    assert _problems(with_lib) == {"lib/shop.py": f"commit {commit[:12]} changed it, and it has no signature"}

    with_lib.write("other.txt", "x")
    with_lib.commit()
    _tick(with_lib, 3)
    assert _last(with_lib) == b"ada\n"

    _sign_by(with_lib, keys / "ada")
    with_lib.write("lib/shop.py", "who = 'ada again'\n")
    with_lib.commit()
    _tick(with_lib, 4)
    assert _last(with_lib) == b"ada again\n"
    assert _problems(with_lib) == {}


def test_data_beside_a_task_are_asked_for_a_signature_as_modules_are(signed: Project) -> None:
    signed.write("tasks/rates.csv", "1")
    signed.task("hello", "print((task.root / 'tasks/rates.csv').read_text())")
    signed.commit()
    _tick(signed, 1)
    _sign_by(signed, None)
    signed.write("tasks/rates.csv", "2")
    signed.commit()
    _tick(signed, 2)

    assert _last(signed) == b"1\n"
    assert list(_problems(signed)) == ["tasks/rates.csv"]


def test_an_old_module_does_not_come_back_by_its_old_signature(with_lib: Project) -> None:
    with_lib.write("lib/shop.py", "who = 'newer'\n")
    with_lib.commit()
    _tick(with_lib, 2)
    _sign_by(with_lib, None)
    with_lib.git("checkout", "--quiet", "HEAD~1", "--", "lib")
    with_lib.commit()
    _tick(with_lib, 3)

    assert _last(with_lib) == b"newer\n"


def test_without_any_accepted_files_a_run_sees_none(project: Project, keys: Path) -> None:
    project.write("lib/shop.py", "who = 'eve'\n")
    project.commit()
    _sign_by(project, keys / "ada")
    project.write("runner.yaml", f"git: {{require_signed: true, allowed_signers: {keys / 'allowed'}}}\n")
    project.task("hello", _ASK_LIB)
    project.commit()
    _tick(project, 0)

    assert b"No module named 'shop'" in _last(project)
