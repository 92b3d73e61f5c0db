"""Find the ref that a name means, by its full name, and the commit that the ref is at."""

from __future__ import annotations

import os
import re

from runner.errors import GitError
from runner.repo.head import NO_FILES, is_id, split
from runner.repo.location import git_path
from runner.repo.process import explain, git, run
from runner.value import Value

_SHORT_ID = re.compile(r"[0-9a-f]{4,63}")
#: Ways to name a commit other than a ref with steps back (gitrevisions(7)).
_OTHER = re.compile(r"@\{|\^\{|\^[@!-]|[:*?\[\\\s]|\.\.|^@$|^-")
_LONGEST = 300  # bytes of HEAD; more is no ref
_HINT = "correct `git.ref` in runner.yaml, or fetch the ref"


class Found(Value):
    """A full name (`refs/heads/main`, `refs/heads/main~1`, `HEAD`, an id), and the commit that it is at."""

    path: str
    commit: str


def find(root: str, name: str) -> Found:
    """Return which ref a name means, and its commit. Raises GitError.

    `HEAD`, a name that begins with `refs/` and a full id mean themselves. A name that begins with the name of a remote
    (`origin/main`) means the branch of that remote, and nothing else. Any other name is looked up among branches first
    (`refs/heads/NAME`, `refs/remotes/NAME`, `refs/remotes/NAME/HEAD`, and `refs/NAME` for `heads/main` or
    `remotes/origin/main`), then among tags (`refs/tags/NAME`, and `refs/NAME` for `tags/v1`), then as the beginning of
    an id. A name that two branches or two tags have is an error. Steps back (`~2`, `^`) may follow. Other files of
    git, such as FETCH_HEAD, are not refs.
    """
    base, steps = split(name)
    path = _path_of(root, base)
    commit = commit_of(root, path + steps)
    return Found(commit if is_id(path) else path + steps, commit)


def resolve(root: str, name: str) -> str:
    """Return the commit that a user names, also in git's other ways (`main@{yesterday}`, `:/subject`).

    Raises GitError.
    """
    return _commit(root, name) if _OTHER.search(name) else find(root, name).commit


def commit_of(root: str, path: str) -> str:
    """Return the commit that the ref of a full name is at.

    Raises GitError, which names the ref and says what is wrong.
    """
    name, steps = split(path)
    if is_id(name):
        return _commit_from(root, name, steps, f"there is no ref {name!r} in the repository", name)
    code, stdout, stderr = run(root, "show-ref", "--verify", "--dereference", "--hash", name)
    if code:
        raise _why_not(root, name, stderr)
    # For an annotated tag the last line has the object that it points to, followed by `NAME^{}`.
    found = stdout.splitlines()[-1].split()[0].decode()
    about = (_target_of_head(root) or name) if name == "HEAD" else name
    return _commit_from(root, found, steps, f"the ref {about} is at {found[:12]}, which is no commit here", about)


def _commit_from(root: str, name: str, steps: str, otherwise: str, about: str) -> str:
    try:
        commit = _commit(root, name)
    except GitError as error:
        if not error.message.startswith("there is no ref"):
            raise
        raise GitError(otherwise, "run `git fsck`, and fetch again", about) from error
    return _stepped(root, commit, steps, about) if steps else commit


def _stepped(root: str, commit: str, steps: str, about: str) -> str:
    try:
        return _commit(root, commit + steps)
    except GitError as error:
        raise GitError(f"{about}{steps} names no commit", "name a later one", about) from error


def _commit(root: str, name: str) -> str:
    code, stdout, stderr = run(root, "rev-parse", "--verify", "--end-of-options", name + "^{commit}")
    if not code:
        return stdout.decode().strip()
    if "eeded a single revision" in stderr or "unknown revision" in stderr or "bad revision" in stderr:
        raise GitError(f"there is no ref {name!r} in the repository", _HINT, name)
    error = explain(root, stderr)
    raise GitError(f"there is no ref {name!r}: {error.message}", _HINT, name) if type(error) is GitError else error


def _path_of(root: str, name: str) -> str:
    if name == "HEAD" or name.startswith("refs/") or is_id(name):
        return name
    if any(name.startswith(f"{remote}/") for remote in git(root, "remote").decode().split()):
        return f"refs/remotes/{name}"
    for group in (_branches(name), _tags(name)):
        found = _existing(root, group)
        if len(found) > 1:
            hint = f"write one of them in full, for example {found[0]}"
            raise GitError(f"the ref {name!r} can be any of {', '.join(found)}", hint, name)
        if found:
            return found[0]
    return _by_short_id(root, name)


def _branches(name: str) -> list[str]:
    whole = [f"refs/{name}"] if name.startswith(("heads/", "remotes/")) else []
    return [f"refs/heads/{name}", f"refs/remotes/{name}", f"refs/remotes/{name}/HEAD", *whole]


def _tags(name: str) -> list[str]:
    return [f"refs/tags/{name}", *([f"refs/{name}"] if name.startswith("tags/") else [])]


def _existing(root: str, paths: list[str]) -> list[str]:
    """Return which of these refs exist.

    Raises GitError where one is damaged: another must not be used in its place.
    """
    code, stdout, stderr = run(root, "for-each-ref", "--format=%(refname)", *paths)
    if code:
        raise explain(root, stderr)
    found = [path for path in stdout.decode("utf-8", "replace").split("\n") if path in paths]
    for path in paths:
        if path not in found and _is_damaged(root, path, stderr):
            raise _damaged(path)
    return found


def _by_short_id(root: str, name: str) -> str:
    if _SHORT_ID.fullmatch(name):
        objects = git(root, "rev-parse", f"--disambiguate={name}")
        kinds = git(root, "cat-file", "--batch-check=%(objecttype) %(objectname)", given=objects).decode().splitlines()
        commits = [line.partition(" ")[2] for line in kinds if line.startswith("commit ")]
        if len(commits) == 1:
            return commits[0]
        if commits:
            raise GitError(f"{len(commits)} commits have an id that begins with {name}", "write more of the id", name)
    raise GitError(f"there is no ref {name!r} in the repository", _HINT, name)


def _why_not(root: str, path: str, stderr: str) -> GitError:
    """Return the error for a ref that git cannot read."""
    if "not a valid ref" not in stderr and "bad ref" not in stderr:
        error = explain(root, stderr)
        if type(error) is not GitError or error.about != ".git":
            return error
        return GitError(f"the ref {path} cannot be read: {error.message}", error.hint, path)
    if path == "HEAD":
        return _why_not_head(root)
    if "bad ref" in stderr:
        hint = "run `git fsck`, and fetch again, or set the ref to a commit that is there"
        return GitError(f"the ref {path} is damaged: the object that it names is missing", hint, path)
    if _is_damaged(root, path, run(root, "for-each-ref", path)[2]):
        return _damaged(path)
    return GitError(f"there is no ref {_short(path)!r} in the repository", _HINT, path)


def _why_not_head(root: str) -> GitError:
    target = _target_of_head(root)
    if not target:
        return GitError("HEAD is damaged: the object that it names is missing", "check out a branch", "HEAD")
    code, _, stderr = run(root, "show-ref", "--verify", "--hash", target)
    error = _why_not(root, target, stderr) if code and target.startswith("refs/") else _damaged("HEAD")
    if not error.message.startswith("there is no ref"):
        return error
    reason = f"HEAD is at {target}, which has no commit"
    if not git(root, "for-each-ref", "--count=1"):
        reason = "the repository has no commit yet"
    return GitError(reason, "commit your tasks: git add tasks && git commit", "HEAD")


def _target_of_head(root: str) -> str:
    """Return the ref that HEAD points to, empty where it is a commit; from the file, as git names no damaged ref."""
    try:
        with open(git_path(root, "HEAD"), encoding="utf-8", errors="replace") as file:
            content = file.read(_LONGEST)
    except OSError:
        return ""
    target = content.removeprefix("ref:").strip() if content.startswith("ref:") else ""
    if target != NO_FILES:
        return target
    return run(root, "symbolic-ref", "--quiet", "HEAD")[1].decode("utf-8", "replace").strip()


def _is_damaged(root: str, path: str, stderr: str) -> bool:
    """Return whether a ref that git does not read exists: by the error message of git, or as a file."""
    return f"ignoring broken ref {path}\n" in stderr or os.path.isfile(git_path(root, path))


def _damaged(path: str) -> GitError:
    return GitError(
        f"the ref {path} is damaged: its content is neither a commit nor an existing ref",
        f"set it to a commit, for example: git update-ref {path} COMMIT",
        path,
    )


def _short(path: str) -> str:
    for folder in ("refs/heads/", "refs/remotes/", "refs/tags/"):
        if path.startswith(folder):
            return path.removeprefix(folder)
    return path
