"""Say what each task of the work tree may touch, and suggest what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from runner.errors import RunnerError, UsageError
from runner.execution.sandbox import landlock
from runner.execution.sandbox.grants import rules_of
from runner.execution.supervising.run_environment import RunEnvironment
from runner.model.environment import is_application
from runner.model.permissions import NOTHING, Permissions
from runner.model.retry import ONCE
from runner.model.settings import Settings
from runner.model.task import Task, id_of
from runner.operations.acting.learn import learned, proposal_of
from runner.operations.reviewing.proposal import Proposal
from runner.operations.reviewing.worktree import contents_of, settings_of
from runner.operations.workspace import Workspace
from runner.repo import worktree
from runner.store.queue import job_of
from runner.taskfile.compiler import compile_task
from runner.taskfile.document import read_document
from runner.taskfile.edit import with_block
from runner.taskfile.names import is_task_file
from runner.taskfile.permissions import added, build_permissions
from runner.taskfile.text import LARGEST_FILE
from runner.taskfile.touches import touches
from runner.value import Value, replace


class TaskPermissions(Value):
    """What a task of the work tree may touch, together with what `runner.yaml` and its context grant."""

    task: str
    path: str
    granted: Permissions


class Suggestion(Value):
    """What a task needs. `block` is what its file is to have: its own permissions, and those of the proposal."""

    task: str
    path: str
    proposal: Proposal
    block: Permissions


def all_permissions(workspace: Workspace, tasks: Sequence[str] = ()) -> list[TaskPermissions]:
    """Return the permissions of the valid tasks of the work tree, or of some of them. Raises RunnerError."""
    return [
        TaskPermissions(task.id, task.path, task.permissions)
        for task, _ in _tasks(workspace, tasks, settings_of(workspace.root))
    ]


def suggest(workspace: Workspace, tasks: Sequence[str] = ()) -> Iterator[Suggestion]:
    """Yield what each valid task of the work tree, or some of them, needs besides what it is granted.

    That is read in its code, and taken from the runs that have learned. Raises RunnerError.
    """
    settings = settings_of(workspace.root)
    if not settings.permissions.is_held:
        settings = replace(settings, permissions=NOTHING)  # what they need once that line of runner.yaml is gone
    for task, content in _tasks(workspace, tasks, settings):
        found = [*_touched(workspace, task), *learned(workspace, task.id, worktree.blob_id(content))]
        proposal = proposal_of(workspace, dict.fromkeys(found), settings.secrets_file)
        own = read_document(content.decode("utf-8")).value
        block = added(
            build_permissions(own.get("permissions") if isinstance(own, dict) else None), proposal.permissions
        )
        yield Suggestion(task.id, task.path, proposal, block)


def write(workspace: Workspace, suggestion: Suggestion, lines: list[str]) -> None:
    """Write the lines of a block into the file of a task. Raises RunnerError where the file has no place for it."""
    settings = settings_of(workspace.root)
    content = worktree.read_file(workspace.root, suggestion.path, LARGEST_FILE)
    text = with_block(content.decode("utf-8"), "permissions", lines)
    compiled = None if text is None else compile_task(suggestion.path, text.encode(), settings)
    if text is None or compiled is None or compiled.task is None:
        why = compiled.problems[0].message if compiled is not None and compiled.problems else "its keys are indented"
        raise RunnerError(f"{suggestion.path} is left as it is: {why}", "write the lines by hand")
    try:
        with open(os.path.join(workspace.root, suggestion.path), "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise RunnerError(f"{suggestion.path} cannot be written: {error.strerror}", "check the permissions") from error


def _tasks(workspace: Workspace, chosen: Sequence[str], settings: Settings) -> Iterator[tuple[Task, bytes]]:
    """Yield the valid tasks of the work tree, each with the content of its file."""
    root = workspace.root
    files = [file for file in worktree.list_files(root) if is_task_file(file.path) and not file.is_symlink]
    readable = {id_of(file.path): file.path for file in files if not file.unreadable}
    unknown = [task for task in chosen if task not in readable]
    if unknown:
        raise UsageError(f"there is no task {unknown[0]} in the work tree", "see `runner list`")
    wanted = dict.fromkeys(chosen or sorted(readable))
    contents = contents_of(root, [file for file in files if not file.unreadable and id_of(file.path) in wanted])
    for task_id in wanted:
        content = contents[readable[task_id]]
        task = compile_task(readable[task_id], content, settings).task
        if task is not None:
            yield task, content
        elif chosen:
            raise UsageError(f"the task {task_id} is not valid", f"see `runner validate {readable[task_id]}`")


def _touched(workspace: Workspace, task: Task) -> Iterator[str]:
    """Yield what the code of a task shows that it touches beyond its permissions, as `KIND VALUE`."""
    granted, rules = task.permissions, _rules(workspace, task)
    for touch in touches(task.code):
        kind, _, value = touch.partition(" ")
        if kind == "import":
            if not is_application(task.context) and granted.line_for_import(value) and not _is_ours(workspace, value):
                yield touch
        elif kind in {"read", "write"}:
            path = _there(value)
            if not landlock.is_granted(path, rules, writes=kind == "write"):
                yield f"{kind} {path}"
        elif not _is_had(granted, kind, value):
            yield touch


def _is_had(granted: Permissions, kind: str, value: str) -> bool:
    if kind == "subprocess":
        return granted.can_start
    return granted.may_connect(int(value)) if kind == "port" else granted.has_network


def _is_ours(workspace: Workspace, module: str) -> bool:
    of_lib = os.path.join(workspace.root, "lib", module.partition(".")[0])
    return os.path.isdir(of_lib) or os.path.isfile(f"{of_lib}.py")


def _there(path: str) -> str:
    """Return a path as it will be granted: the folder of a file that is not there yet."""
    return os.path.realpath(path if os.path.lexists(path) else os.path.dirname(path))


def _rules(workspace: Workspace, task: Task) -> list[tuple[str, int]]:
    root = os.path.realpath(workspace.root)
    job = replace(job_of(task, 0, 1, None, retry=ONCE), root=root)
    return rules_of(job, RunEnvironment(root, os.path.realpath(workspace.state), ""))
