"""Which commit a ref is at, without GitPython: two small files, or one `git rev-parse` where that is not plain.

Read by every tick, so that it imports nothing. A ref is plain when `.git` is a folder and the ref a loose file in it;
worktrees, packed refs and reftables are left to git (gitrepository-layout(5)).
"""

import os

_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)  # SHA-1 and SHA-256
_LOOSE = ("refs/heads/", "refs/remotes/")  # a tag's file may name a tag object, not a commit


def commit_at(root: str, ref: str) -> str | None:
    """Return the id of the commit that a full ref name (or HEAD) is at, or None where there is no answer.

    None says nothing about why: `repo.location` and `repo.tree` ask git itself, and explain.
    """
    return _plain(root, ref) or _asked(root, ref)


def _plain(root: str, ref: str) -> str | None:
    git_dir = _git_dir(root)
    if git_dir is None:
        return None
    if ref == "HEAD":
        content = _read(git_dir + "/HEAD")
        if not content.startswith("ref: "):
            return _commit_id(content)
        ref = content[5:].strip()
    return _commit_id(_read(f"{git_dir}/{ref}")) if ref.startswith(_LOOSE) else None


def _git_dir(root: str) -> str | None:
    """Return the nearest `.git` folder at or above the root; a `.git` file (a worktree, a submodule) is not plain."""
    folder = os.path.realpath(root)
    while True:
        try:
            os.lstat(folder + "/.git")
        except OSError:
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            folder = parent
        else:
            return folder + "/.git"


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(300)
    except (OSError, UnicodeDecodeError):
        return ""


def _commit_id(text: str) -> str | None:
    text = text.strip()
    return text if len(text) in _LENGTHS and _HEX.issuperset(text) else None


def _asked(root: str, ref: str) -> str | None:
    readable, writable = os.pipe()
    try:
        pid = os.posix_spawnp(
            "git",
            ["git", "-C", root, "rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"],
            {key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writable, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    except OSError:
        os.close(readable)
        return None
    finally:
        os.close(writable)
    with open(readable, encoding="ascii", errors="replace") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return _commit_id(text)
