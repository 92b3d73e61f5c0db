"""Write a new, valid task file, or commit it on a new branch."""

from __future__ import annotations

import os

from runner.errors import RunnerError, UsageError
from runner.model.settings import Settings
from runner.model.task import path_of
from runner.operations.ticking.refresh import settings_of
from runner.operations.workspace import Workspace
from runner.repo import refs, tree
from runner.repo.branch import NewFile, commit_on_branch, remote_url
from runner.repo.forge import request_command
from runner.taskfile.compiler import compile_task
from runner.taskfile.compose import task_text
from runner.taskfile.names import check_name
from runner.value import Value

_SCHEMA = "schema/task.schema.json"


class Written(Value):
    """A new task file. Where it is committed on a branch, `request` is the command that asks for its review."""

    path: str
    branch: str | None
    request: str | None


def write_task(workspace: Workspace, task_id: str, keys: dict[str, object], branch: str | None) -> Written:
    """Write a task with those keys and sample code, and return where it is.

    With `branch`, the file is only committed on that branch: the work tree does not change. Raises RunnerError, and
    writes nothing, where the task would not be valid.
    """
    path = path_of(task_id)
    text = task_text(keys, _schema_from(workspace.root, path))
    _check(path, text)
    if branch is None:
        _create(os.path.join(workspace.root, path), path, text)
        return Written(path, None, None)
    base = _in_force(workspace.root)
    if os.path.lexists(os.path.join(workspace.root, path)) or tree.is_in(workspace.root, base, path):
        raise _is_there(path)
    commit_on_branch(workspace.root, branch, base, NewFile(path, text), f"Add the task {task_id}")
    return Written(path, branch, request_command(remote_url(workspace.root), branch))


def _in_force(root: str) -> str:
    """Return the commit of the ref that is followed, into which a change is to be merged. Raises RunnerError."""
    head = refs.find(root, "HEAD").commit
    return refs.find(root, settings_of(root, tree.everything(root, head).settings or "").ref).commit


def _is_there(path: str) -> UsageError:
    return UsageError(f"{path} already exists", "choose another id, or edit that file")


def _schema_from(root: str, path: str) -> str | None:
    """Return the path of the schema relative to a task file; None where the repository has no schema."""
    if not os.path.isfile(os.path.join(root, _SCHEMA)):
        return None
    return "../" * path.count("/") + _SCHEMA


def _check(path: str, text: str) -> None:
    found = check_name(path)
    problems = (found,) if found is not None else compile_task(path, text.encode(), Settings()).problems
    if problems:
        raise UsageError(problems[0].message, problems[0].hint or None)


def _create(target: str, path: str, text: str) -> None:
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as error:
        raise RunnerError(
            f"{path} cannot be written: {error.strerror}", "check the permissions of the folder"
        ) from error
