"""Compile many files: what was never compiled under the settings in force, and nothing else, on all cores where that pays."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

#: So many files are compiled by one process and written in one transaction: the write lock is held for moments only.
_BATCH_SIZE = 250

#: (blob, path) of files.
_Batch = Sequence[tuple[str, str]]

Found = dict[str, tuple[Problem, ...]]


class _Work(Value):
    """What every process of a compilation knows."""

    root: str
    settings: Settings

    def compile(self, batch: _Batch) -> list[tuple[str, CompiledFile]]:
        """Return what became of each (blob, path)."""
        paths = dict(batch)
        blobs = tree.read_blobs(self.root, list(paths), LARGEST_FILE)
        return [(blob, compile_task(paths[blob], content, self.settings)) for blob, content in blobs]


def compile_files(
    session: Deciding, root: str, files: Sequence[tree.File], settings_blob: str, read: Callable[[], Settings]
) -> Found:
    """Compile the files of a commit that are not known yet, and keep the tasks; return the problems by blob.

    `settings_blob` is the blob of the settings in force, and `read` reads them, if they are needed.
    """
    # A file without a name that can be an id is told so when it is adopted; its content may be that of another task.
    wanted = {file.blob: file.path for file in files if _is_named(file)}
    known = catalogs.known_blobs(session, settings_blob, wanted)
    unknown = [(blob, path) for blob, path in wanted.items() if blob not in known]
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
    return _side_by_side(work, batches, cores)


def _side_by_side(work: _Work, batches: Sequence[_Batch], cores: int) -> Iterator[list[tuple[str, CompiledFile]]]:
    """Compile batches in several processes; what these leave undone, should one of them be killed, is done here."""
    # Imported when met: only hundreds of changed files are worth a second process.
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    # Warm before the fork: what one file loads is then there in every process.
    yield work.compile(batches[0][:1])
    global _work  # noqa: PLW0603 - how a forked worker gets what it works with
    _work = work
    # What these processes make is pickled and gone; looking for cycles in it would take a tenth of their time.
    pool = ProcessPoolExecutor(cores, get_context("fork"), initializer=gc.disable)
    left = [batches[0][1:], *batches[1:]]
    try:
        submitted = _submit(pool, left)
        undone = left[len(submitted) :]
        for future in as_completed(list(submitted)):
            batch = submitted.pop(future)  # what was made of it is not needed twice
            try:
                yield future.result()
            except BrokenExecutor:
                undone.append(batch)
    finally:
        pool.shutdown(cancel_futures=True)
    yield from map(work.compile, undone)


def _submit(
    pool: ProcessPoolExecutor, batches: Sequence[_Batch]
) -> dict[Future[list[tuple[str, CompiledFile]]], _Batch]:
    """Submit batches in their order; return those that were accepted: a pool accepts none once a worker was killed."""
    from concurrent.futures import BrokenExecutor  # noqa: PLC0415 - loaded by the caller

    submitted: dict[Future[list[tuple[str, CompiledFile]]], _Batch] = {}
    with suppress(BrokenExecutor):
        for batch in batches:
            submitted[pool.submit(_compile_batch, batch)] = batch
    return submitted


_work: _Work | None = None


def _compile_batch(batch: _Batch) -> list[tuple[str, CompiledFile]]:
    return [] if _work is None else _work.compile(batch)
