"""Find the commit that a ref is at: from two small files where it is plain, else with one question to git.

Every tick loads this module, so it imports almost nothing. A ref is plain where `.git` is a folder that this user owns
and the ref is a loose file in it. Git is asked about worktrees, packed refs and reftables (gitrepository-layout(5)),
and about a folder of another user, which git may refuse.
"""

import os
import stat

_HEX = frozenset("0123456789abcdef")
_LENGTHS = (40, 64)  # SHA-1 and SHA-256
_LONGEST = 300  # bytes of HEAD or a ref; a longer file is neither
_LOOSE = ("refs/heads/", "refs/remotes/")  # a tag's file may name a tag object, not a commit
#: The content of HEAD where refs are not stored in files (gitrepository-layout(5)).
NO_FILES = "refs/heads/.invalid"
_STEPS = "~^"  # begin a step back to a parent; no name of a ref contains them (git-check-ref-format(1))


def commit_at(root: str, ref: str) -> str | None:
    """Return the id of the commit that a full ref name, HEAD or an id is at, None where it cannot be found.

    `repo.location` and `repo.refs` say why.
    """
    if is_id(ref):
        return ref
    return _plain(root, ref) or _asked(root, ref)


def branch_at(root: str) -> str:
    """Return the full name of the branch that HEAD is on (`refs/heads/main`), empty where it is on none."""
    branch = plain_branch(root)
    return _ask(root, "symbolic-ref", "--quiet", "HEAD")[1].strip() if branch is None else branch


def plain_branch(root: str) -> str | None:
    """Return the branch that HEAD is on, empty where it is on none, None where only git can tell."""
    git_dir = _git_dir(root)
    content = _read(git_dir + "/HEAD").strip() if git_dir is not None and _is_own(git_dir) else ""
    if content.startswith("ref: "):
        return content[5:] if content[5:] != NO_FILES else None
    return "" if is_id(content) else None


def split(name: str) -> tuple[str, str]:
    """Return the name of the ref and the steps back from it: `main~3` is `main` and `~3`."""
    length = min((name.index(step) for step in _STEPS if step in name), default=len(name))
    return name[:length], name[length:]


def is_id(text: str) -> bool:
    """Return whether a text is the full id of an object."""
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
    """Return the nearest `.git` at or above the root; None where a folder below it is a bare repository to git."""
    folder = root
    while True:
        if os.path.lexists(folder + "/.git"):
            return folder + "/.git"
        if os.path.lexists(folder + "/HEAD") and os.path.isdir(folder + "/objects"):
            return None
        # The target of a link at the root has another parent folder; from there on paths have no links.
        folder = os.path.realpath(root) if folder == root else folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent


def _is_own(git_dir: str) -> bool:
    """Return whether a `.git` is a folder of this user, which git never refuses (git-config(1), safe.directory).

    A file (a worktree, a submodule), a link and a folder of another user are left to git.
    """
    user = os.geteuid()
    try:
        found, folder = os.lstat(git_dir), os.lstat(os.path.dirname(git_dir))
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user and folder.st_uid == user


def damaged_part(root: str) -> str | None:
    """Return the damaged part of a repository that git does not recognise, None where there is no repository."""
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
        # Decoding "ascii" would import a module; a text that is not ASCII is no id in either encoding.
        return os.read(descriptor, _LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _commit_id(text: str) -> str | None:
    text = text.strip()
    return text if is_id(text) else None


def is_same(root: str, old: str, new: str, *paths: str) -> bool:
    """Return whether two commits have the same content at some paths of the root; False also where git cannot tell."""
    return _ask(root, "diff-tree", "--quiet", old, new, "--", *paths) == (0, "")


def _asked(root: str, ref: str) -> str | None:
    name, steps = split(ref)
    if name != "HEAD" and not name.startswith("refs/"):
        return None
    # show-ref(1) takes the exact name; rev-parse(1) would take a tag of that name where there is no such ref.
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
    """Return whether HEAD, and the ref whose tasks are in force, are still at the commits that were read last."""
    if head is None or commit is None or commit_at(root, "HEAD") != head:
        return False
    return ref_path == "HEAD" or commit_at(root, ref_path) == commit
