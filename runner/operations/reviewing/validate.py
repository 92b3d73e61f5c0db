"""Check the files of the work tree, and report every problem of every file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from runner.errors import RunnerError, UsageError
from runner.execution.supervising.secrets import SecretError, is_inside, read_file
from runner.model.problem import ERROR, WARNING, Problem, Validation
from runner.model.settings import FILE as SETTINGS_FILE
from runner.model.settings import Settings
from runner.model.task import FOLDER, Task
from runner.operations.checkout import never_committed
from runner.operations.reviewing.task_code import CodeChecker
from runner.operations.ticking.workers import in_parallel
from runner.operations.workspace import Workspace
from runner.repo import worktree
from runner.repo.tree import File
from runner.taskfile.compiler import compile_settings, compile_task, position_of, symlink_problem
from runner.taskfile.findings import shown
from runner.taskfile.names import check_case, is_task_file
from runner.taskfile.rules.context import OF_CONTEXTS
from runner.taskfile.text import LARGEST_FILE

#: How many files one process checks at a time.
_BATCH_SIZE = 250


def validate(workspace: Workspace, paths: Sequence[str] = ()) -> Validation:
    """Check the files and folders that `paths` name, or the whole work tree; return the problems found.

    Raises RunnerError, UsageError.
    """
    root = workspace.root
    chosen_paths = [_below(root, path) for path in paths]
    content = worktree.read_settings(root, LARGEST_FILE)
    settings, found = compile_settings(content) if content is not None else (Settings(), ())
    files = [file for file in worktree.list_files(root) if file.unreadable or is_task_file(file.path)]
    if worktree.is_link(root, SETTINGS_FILE):
        found = (symlink_problem(SETTINGS_FILE),)
    problems = [*found, *check_case([file.path for file in files])]
    chosen = [file for file in files if _is_chosen(file.path, chosen_paths)]
    names = _secret_names(root, settings)
    contents, unreadable = _contents(root, chosen)
    problems += unreadable
    problems += [symlink_problem(file.path) for file in chosen if file.is_symlink]
    code = CodeChecker(root, workspace.state, settings or Settings())
    of_files = _checked(contents, partial(_problems, settings=settings or Settings(), names=names, code=code))
    problems += [problem for problem in of_files if settings is not None or problem.code not in OF_CONTEXTS]
    problems += never_committed(root, [file.path for file in files], (settings or Settings()).files)
    if settings is not None and settings.secrets_file and is_inside(settings.secrets_file, root):
        problems.append(_inside(content or b""))
    chosen_problems = [
        problem for problem in problems if _is_chosen(problem.file, [shown(path) for path in chosen_paths])
    ]
    return Validation(len(chosen), tuple(sorted(chosen_problems, key=Problem.order)))


def _secret_names(root: str, settings: Settings | None) -> frozenset[str] | None:
    """Return the names in the secrets file of this machine; None where it has no such file, as in CI."""
    if settings is None or not settings.secrets_file:
        return None
    try:
        return frozenset(read_file(settings.secrets_file, root))
    except SecretError:
        return None


def _inside(content: bytes) -> Problem:
    line, column = position_of(content, ("secrets_file",))
    message = "the secrets file is inside the repository, where it may be committed by mistake"
    hint = "keep it outside, for example in /etc/runner/secrets"
    return Problem(SETTINGS_FILE, line, column, "secrets-file", ERROR, message, hint)


def _contents(root: str, files: Sequence[File]) -> tuple[dict[str, bytes], list[Problem]]:
    """Return what git would store for each file that can be read, by path, and a problem for every other file."""
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    for file in files:
        if file.unreadable:
            problems.append(_unreadable(file.path, file.unreadable))
        elif not file.is_symlink:
            try:
                contents[file.path] = worktree.read_file(root, file.path, LARGEST_FILE)
            except RunnerError as error:
                problems.append(_unreadable(file.path, error.message.rpartition(": ")[2]))
    return contents | worktree.stored_contents(root, contents, LARGEST_FILE), problems


def _checked(contents: Mapping[str, bytes], check: Callable[[str, bytes], Sequence[Problem]]) -> list[Problem]:
    """Return the problems of all files. Hundreds of files are checked on all cores."""

    def check_batch(paths: Sequence[str]) -> list[Problem]:
        return [problem for path in paths for problem in check(path, contents[path])]

    paths = list(contents)
    batches = [paths[begin : begin + _BATCH_SIZE] for begin in range(0, len(paths), _BATCH_SIZE)]
    cores = min(len(batches), os.cpu_count() or 1)
    if cores <= 1:
        return check_batch(paths)
    first, *others = batches  # what its check loads is then loaded in every process
    checked = [check_batch(first[:1]), *in_parallel(check_batch, [first[1:], *others], cores)]
    return [problem for found in checked for problem in found]


def _problems(
    path: str, content: bytes, settings: Settings, names: frozenset[str] | None, code: CodeChecker
) -> Sequence[Problem]:
    compiled = compile_task(path, content, settings)
    if compiled.task is None:
        return compiled.problems
    return [
        *code.problems(path, content, compiled.task),
        *_unknown_secrets(path, content, compiled.task, settings, names),
    ]


def _unknown_secrets(
    path: str, content: bytes, task: Task, settings: Settings, names: frozenset[str] | None
) -> list[Problem]:
    if names is None:
        return []
    unknown = [number for number, name in enumerate(task.secrets) if name not in names and name not in os.environ]
    positions = {number: position_of(content, ("secrets", number)) for number in unknown}
    return [_unknown_secret(path, *positions[number], task.secrets[number], settings) for number in unknown]


def _unknown_secret(path: str, line: int, column: int, name: str, settings: Settings) -> Problem:
    message = f"the secret `{name}` is not in {settings.secrets_file} of this machine"
    hint = f"add a line {name}=… to that file, or set {name} in the environment of runner"
    return Problem(path, line, column, "unknown-secret", WARNING, message, hint)


def _unreadable(path: str, why: str) -> Problem:
    return Problem(path, 1, 1, "unreadable", ERROR, f"it cannot be read: {why}", "check its permissions")


def _below(root: str, path: str) -> str:
    """Return a path that a person has typed, relative to the root and with slashes. Raises UsageError."""
    if not os.path.lexists(path):
        raise UsageError(f"there is no {path}", "give files or folders below tasks/, or nothing for all of them")
    below = os.path.relpath(
        os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)), os.path.realpath(root)
    )
    if below not in {".", SETTINGS_FILE} and below.split(os.sep)[0] != FOLDER:
        raise UsageError(f"{path} is not below {FOLDER}/ of {root}", "give another root with --repo")
    below = below.replace(os.sep, "/")
    if os.path.isfile(path) and below != SETTINGS_FILE and not is_task_file(below):
        raise UsageError(f"{path} is not a task file", "names of task files end in .yaml and do not begin with a dot")
    return below


def _is_chosen(path: str, chosen: Sequence[str]) -> bool:
    return not chosen or any(it in {".", path} or path.startswith(f"{it}/") for it in chosen)
