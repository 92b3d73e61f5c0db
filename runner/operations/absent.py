"""Find out why ticks do not run a task whose file is on disk, and what to do about it."""

from __future__ import annotations

import os
from shlex import quote

from runner.errors import GitError
from runner.model.task import path_of
from runner.repo import refs
from runner.repo.head import branch_at
from runner.repo.tree import is_in
from runner.repo.uncommittable import uncommittable
from runner.taskfile.findings import shown
from runner.taskfile.names import check_name
from runner.value import Value

_BRANCHES = "refs/heads/"


class Absence(Value):
    """The reason why ticks do not run a task that is on disk, and the hint."""

    message: str
    hint: str


def absence(root: str, ref: str, task_id: str) -> Absence | None:
    """Return why ticks that follow `ref` do not know a task; None where its file is not on disk."""
    path = path_of(task_id)
    if check_name(path) is not None or not os.path.isfile(f"{root}/{path}"):
        return None
    try:
        return _explained(root, ref, task_id, path)
    except GitError as error:
        return Absence(f"there is no task {task_id}: git cannot say whether {path} is committed", str(error))


def _explained(root: str, ref: str, task_id: str, path: str) -> Absence:
    trial = f"`runner run {task_id} --worktree` tries it before"
    if _is_in(root, ref, path):
        hint = "`runner tick` reads it; where it cannot, `runner status` says why"
        return Absence(f"no tick has read the task {task_id} yet: {path} is committed", hint)
    if _is_in(root, "HEAD", path):
        there = branch_at(root).removeprefix(_BRANCHES) or "the commit that is checked out"
        message = f"there is no task {task_id} in {ref}, which ticks follow: {path} is committed in {there}"
        return Absence(message, f"merge {there} into {ref}; {trial}")
    for found in uncommittable(root, [path]):
        return Absence(
            f"there is no task {task_id} in the commit: {path} is on disk, and {shown(found.reason)}", found.hint
        )
    message = f"there is no task {task_id} in the commit: {path} is not committed"
    return Absence(message, f"commit it: git add {quote(path)} && git commit; {trial}")


def _is_in(root: str, ref: str, path: str) -> bool:
    try:
        commit = refs.find(root, ref).commit
    except GitError:
        return False  # HEAD of a repository without a commit, or a ref that does not exist
    return is_in(root, commit, path)
