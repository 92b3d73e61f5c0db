"""Which commit a ref is at, without GitPython: two small files, or one `git rev-parse` where that is not plain.

Read by every tick, so that it imports nothing. A ref is plain when `.git` is a folder and the ref a loose file in it;
worktrees, packed refs and reftables are left to git (gitrepository-layout(5)).
"""

import os

_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)  # SHA-1 and SHA-256
_LONGEST = 300  # bytes of HEAD or a ref; more is neither
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
    folder = root
    while True:
        try:
            os.lstat(folder + "/.git")
        except OSError:
            # What a link at the root leads to has another folder above it; from there on names are real.
            folder = os.path.realpath(root) if folder == root else folder
            parent = os.path.dirname(folder)
            if parent == folder:
                return None
            folder = parent
        else:
            return folder + "/.git"


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        # Decoding by "ascii" would import a module; what is not ASCII is no id either way.
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _commit_id(text: str) -> str | None:
    text = text.strip()
    return text if len(text) in _LENGTHS and _HEX.issuperset(text) else None


def is_same(root: str, old: str, new: str, *paths: str) -> bool:
    """Return whether two commits have the same content at some paths below the root; False also where git cannot say."""
    return _ask(root, "diff-tree", "--quiet", old, new, "--", *paths) == (0, "")


def _asked(root: str, ref: str) -> str | None:
    return _commit_id(_ask(root, "rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}")[1])


def _ask(root: str, *words: str) -> tuple[int, str]:
    """Return git's exit code and what it prints; `repo.process` does this for all who can afford `subprocess`."""
    readable, writable = os.pipe()
    try:
        pid = os.posix_spawnp(
            "git",
            ["git", "-C", root, *words],
            {key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writable, 1),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
        )
    except OSError:
        os.close(readable)
        return 127, ""
    finally:
        os.close(writable)
    with open(readable, encoding="utf-8", errors="replace") as answer:
        text = answer.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text


def is_at(root: str, head: str | None, ref_path: str, commit: str | None) -> bool:
    """Return whether HEAD, and the ref whose tasks are in force, are where they were: the one question whether tasks are stale."""
    if head is None or commit is None or commit_at(root, "HEAD") != head:
        return False
    return ref_path == "HEAD" or commit_at(root, ref_path) == commit
