"""Which commit a ref is at, without GitPython: two small files, or one question to git where that is not plain.

Read by every tick, so that it imports next to nothing. A ref is plain when `.git` is a folder of this user and the ref a loose file
in it; worktrees, packed refs and reftables are left to git (gitrepository-layout(5)), and so is a folder of somebody else, which
git may refuse.
"""

import os
import stat

_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)  # SHA-1 and SHA-256
_LONGEST = 300  # bytes of HEAD or a ref; more is neither
_LOOSE = ("refs/heads/", "refs/remotes/")  # a tag's file may name a tag object, not a commit
#: What stands in HEAD where refs are not kept in files (gitrepository-layout(5)).
NO_FILES = "refs/heads/.invalid"
_STEPS = "~^"  # what leads from a commit to one before it; no name of a ref has these in it (git-check-ref-format(1))


def commit_at(root: str, ref: str) -> str | None:
    """Return the id of the commit that a full ref name, HEAD or an id is at, or None where there is no answer.

    None says nothing about why: `repo.location` and `repo.refs` ask git itself, and explain.
    """
    if is_id(ref):
        return ref
    return _plain(root, ref) or _asked(root, ref)


def branch_at(root: str) -> str:
    """Return the full name of the branch that HEAD is on (`refs/heads/main`), empty where it is on none."""
    branch = plain_branch(root)
    return _ask(root, "symbolic-ref", "--quiet", "HEAD")[1].strip() if branch is None else branch


def plain_branch(root: str) -> str | None:
    """Return the branch that HEAD is on, empty where it is on none, or None where only git can say."""
    git_dir = _git_dir(root)
    content = _read(git_dir + "/HEAD").strip() if git_dir is not None and _is_own(git_dir) else ""
    if content.startswith("ref: "):
        return content[5:] if content[5:] != NO_FILES else None
    return "" if is_id(content) else None


def split(name: str) -> tuple[str, str]:
    """Return a name as that of a ref and the steps back from there: `main~3` is `main` and `~3`."""
    length = min((name.index(step) for step in _STEPS if step in name), default=len(name))
    return name[:length], name[length:]


def is_id(text: str) -> bool:
    """Return whether a text is the whole id of an object."""
    return len(text) in _LENGTHS and _HEX.issuperset(text)


def _plain(root: str, ref: str) -> str | None:
    git_dir = _git_dir(root)
    if git_dir is None or not _is_own(git_dir):
        return None
    if ref == "HEAD":
        content = _read(git_dir + "/HEAD")
        if not content.startswith("ref: "):
            return _commit_id(content)
        ref = content[5:].strip()
    return _commit_id(_read(f"{git_dir}/{ref}")) if ref.startswith(_LOOSE) and ".." not in ref else None


def _git_dir(root: str) -> str | None:
    """Return the nearest `.git` at or above the root; None where git would take a folder below it as a bare repository."""
    folder = root
    while True:
        if os.path.lexists(folder + "/.git"):
            return folder + "/.git"
        if os.path.lexists(folder + "/HEAD") and os.path.isdir(folder + "/objects"):
            return None
        # What a link at the root leads to has another folder above it; from there on names are real.
        folder = os.path.realpath(root) if folder == root else folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _is_own(git_dir: str) -> bool:
    """Return whether a `.git` is a folder that git would not refuse whoever asks (git-config(1), safe.directory).

    A file (a worktree, a submodule) or a link is left to git, and so is whatever belongs to another user.
    """
    user = os.geteuid()
    try:
        found, folder = os.lstat(git_dir), os.lstat(os.path.dirname(git_dir))
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user and folder.st_uid == user


def damaged_part(root: str) -> str | None:
    """Return what is wrong with a folder that git does not take as a repository, None where there is not even that."""
    git_dir = _git_dir(root) or root
    if not os.path.lexists(git_dir + "/HEAD") and git_dir == root:
        return None
    for part in ("objects", "refs"):
        if os.path.isdir(git_dir) and not os.path.isdir(f"{git_dir}/{part}"):
            return part
    return "HEAD" if os.path.isdir(git_dir) else ".git"


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
    return text if is_id(text) else None


def is_same(root: str, old: str, new: str, *paths: str) -> bool:
    """Return whether two commits have the same content at some paths below the root; False also where git cannot say."""
    return _ask(root, "diff-tree", "--quiet", old, new, "--", *paths) == (0, "")


def _asked(root: str, ref: str) -> str | None:
    name, steps = split(ref)
    if name != "HEAD" and not name.startswith("refs/"):
        return None
    # By the very name: rev-parse(1) would take a tag of that name where there is no such ref.
    lines = _ask(root, "show-ref", "--verify", "--dereference", "--hash", name)[1].splitlines()
    # The last line has what a tag leads to, with another name behind it.
    found = _commit_id(lines[-1].partition(" ")[0]) if lines else None
    if found is None or not steps:
        return found
    return _commit_id(_ask(root, "rev-parse", "--verify", "--quiet", f"{found}{steps}^{{commit}}")[1])


def _ask(root: str, *words: str) -> tuple[int, str]:
    from runner.repo.process import ask  # noqa: PLC0415 - a tick that can read two files loads no more

    return ask(root, *words)


def is_at(root: str, head: str | None, ref_path: str, commit: str | None) -> bool:
    """Return whether HEAD, and the ref whose tasks are in force, are where they were: the one question whether tasks are stale."""
    if head is None or commit is None or commit_at(root, "HEAD") != head:
        return False
    return ref_path == "HEAD" or commit_at(root, ref_path) == commit
