"""The one place that starts git."""

from __future__ import annotations

import os
import subprocess

from runner.errors import GitError

#: Nothing that is asked here takes seconds; a git that hangs (a dead network disk) must not hold a tick for ever.
PATIENCE = 120.0


def environment() -> dict[str, str]:
    """Return the environment for git: none of the caller's GIT_… (a hook sets GIT_DIR), no prompt, messages in English."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return own | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def git(root: str, *words: str) -> bytes:
    """Return what `git -C root …` prints. Raises GitError, in words that say what to do."""
    try:
        done = subprocess.run(
            ["git", "-C", root, *words],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=PATIENCE,
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed", "install git, and see that it is on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(
            f"git {words[0]} did not answer within {PATIENCE:.0f} s", "look at the disk of the repository"
        ) from error
    if done.returncode:
        raise explain(root, done.stderr.decode("utf-8", "replace"))
    return done.stdout


def explain(root: str, stderr: str) -> GitError:
    """Return what git said as an error that names the folder and what to do."""
    if "dubious ownership" in stderr:
        hint = f"run as its owner, or: git config --global --add safe.directory {root}"
        return GitError(f"git refuses {root}: it belongs to another user", hint)
    if "not a git repository" in stderr:
        return GitError(f"{root} is not in a git repository", "run `git init` and commit your tasks")
    # Advice comes behind what has happened.
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("warning: ")]
    said = lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "git failed without a word"
    return GitError(f"git: {said}", f"in {root}")
