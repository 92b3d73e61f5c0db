"""Asking a remote for one branch: in its own time, without a prompt, and without a change to the work tree."""

from __future__ import annotations

import os
import re
import signal
import subprocess

from runner.errors import GitError
from runner.repo.process import environment, explain, git

#: Seconds that one fetch may take, and then to tidy up its own lock files.
PATIENCE = 60.0
_GRACE = 5.0
_TRACKED = "refs/remotes/"
#: What may stand in an address, and nowhere else: git leaves it out of most messages by itself.
_CREDENTIALS = re.compile(r"//[^@/\s]+@")
_OURS = ("tasks", "runner.yaml")
# A fetch brings one branch, and nothing else happens in the repository: no tags, submodules, FETCH_HEAD or tidying up.
_OPTIONS = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")


def fetch(root: str, ref_path: str, patience: float = PATIENCE) -> None:
    """Bring `refs/remotes/REMOTE/BRANCH` to where the remote has that branch, be it a forced push. Raises GitError."""
    remote = _remote_of(root, ref_path)
    branch = ref_path.removeprefix(f"{_TRACKED}{remote}/")
    _ask(root, patience, "fetch", *_OPTIONS, remote, f"+refs/heads/{branch}:{ref_path}")
    if _is_partial(root):
        _bring_contents(root, ref_path, patience)


def _remote_of(root: str, ref_path: str) -> str:
    names = [name for name in git(root, "remote").decode().split() if ref_path.startswith(f"{_TRACKED}{name}/")]
    if not names:
        hint = "write for example `ref: origin/main` below `git` in runner.yaml, or leave `fetch` out"
        raise GitError(f"{ref_path} is not a branch of a remote", hint)
    return max(names, key=len)


def _is_partial(root: str) -> bool:
    try:
        return bool(git(root, "config", "--get-regexp", r"^remote\..*\.promisor$"))
    except GitError:
        return False  # git-config(1) exits with 1 where it finds nothing


def _bring_contents(root: str, ref_path: str, patience: float) -> None:
    """Have what a partial clone leaves out, of our files, brought in one go: a tick that reads it later waits for nobody."""
    nothing = git(root, "hash-object", "-t", "tree", "--stdin").decode().strip()
    _ask(root, patience, "diff", "--numstat", "--no-ext-diff", nothing, ref_path, "--", *_OURS)


def _ask(root: str, patience: float, *words: str) -> None:
    """Run git as long as it may take; it ends by TERM first, so that it leaves no lock behind. Raises GitError."""
    with subprocess.Popen(
        ["git", "-C", root, "-c", "core.askPass=", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # Nobody is there to be asked: without a terminal ssh(1) does not ask either.
        env=environment() | {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"},
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            _end(process)
            raise GitError(f"git {words[0]} did not end within {patience:.0f} s", "look at the network") from None
    if process.returncode:
        raise explain(root, _CREDENTIALS.sub("//", said.decode("utf-8", "replace")))


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
