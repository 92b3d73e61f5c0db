"""Compile the task files that were never compiled under the settings in force.

Hundreds of files are compiled on all cores.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from runner.model.catalog import CompiledFile
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.repo import tree
from runner.store import catalogs
from runner.store.session import Deciding
from runner.taskfile.compiler import compile_task
from runner.taskfile.names import check_name, is_task_file
from runner.taskfile.text import LARGEST_FILE
from runner.value import Value

#: How many files one process compiles and one transaction writes. Few enough to hold the write lock only briefly.
_BATCH_SIZE = 250

#: Files, as (blob, path).
_Batch = Sequence[tuple[str, str]]

Found = dict[str, tuple[Problem, ...]]


class _Work(Value):
    """What every compiling process needs to know."""

    root: str
    settings: Settings

    def compile(self, batch: _Batch) -> list[tuple[str, CompiledFile]]:
        """Return each file compiled, as (blob, compiled file)."""
        paths = dict(batch)
        blobs = tree.read_blobs(self.root, list(paths), LARGEST_FILE)
        return [(blob, compile_task(paths[blob], content, self.settings)) for blob, content in blobs]


def compile_files(
    session: Deciding, root: str, files: Sequence[tree.File], settings_blob: str, read: Callable[[], Settings]
) -> Found:
    """Compile the new files of a commit and record their tasks; return the problems of invalid files by blob.

    `settings_blob` is the blob of the settings in force; `read` reads them, and is called only where they are needed.
    """
    # A file whose name cannot be an id gets its problem in `adopt`. Its content may also be that of another task.
    paths_by_blob = {file.blob: file.path for file in files if _is_named(file)}
    known = catalogs.known_blobs(session, settings_blob, paths_by_blob)
    unknown = [(blob, path) for blob, path in paths_by_blob.items() if blob not in known]
    found: Found = {}
    if not unknown:
        return found
    for compiled in _compiled(_Work(root, read()), unknown):
        with session.transaction(durable=False):
            for blob, file in compiled:
                if file.task is None:
                    found[blob] = file.problems
                else:
                    catalogs.add_version(session, blob, settings_blob, file.task)
    return found


def _is_named(file: tree.File) -> bool:
    return not file.is_symlink and is_task_file(file.path) and check_name(file.path) is None


def _compiled(work: _Work, unknown: _Batch) -> Iterator[list[tuple[str, CompiledFile]]]:
    batches = [unknown[begin : begin + _BATCH_SIZE] for begin in range(0, len(unknown), _BATCH_SIZE)]
    cores = min(len(batches), os.cpu_count() or 1)
    if cores == 1:
        return map(work.compile, batches)
    return _in_parallel(work, batches, cores)


def _in_parallel(work: _Work, batches: Sequence[_Batch], cores: int) -> Iterator[list[tuple[str, CompiledFile]]]:
    """Compile batches in several processes. Where one of these is killed, this process compiles the rest."""
    from runner.operations.ticking.workers import in_parallel  # noqa: PLC0415 - only for hundreds of changed files

    # Compile one file before the fork: the modules that this loads are then loaded in every process.
    yield work.compile(batches[0][:1])
    yield from in_parallel(work.compile, [batches[0][1:], *batches[1:]], cores)
