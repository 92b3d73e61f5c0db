"""Compile many files: what was never compiled under the settings in force, and nothing else, on all cores where that pays."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from runner.model.catalog import CompiledFile
from runner.model.problem import Problem
from runner.model.settings import Settings
from runner.repo import tree
from runner.store import catalogs
from runner.store.database import transaction

#: So many files are compiled by one process and written in one transaction: the write lock is held for moments only.
_BATCH = 250

Found = dict[str, tuple[Problem, ...]]


@dataclass(frozen=True, slots=True)
class Compiler:
    """What turns bytes into tasks; loaded only when something has to be compiled."""

    compile_task: Callable[[str, bytes, Settings], CompiledFile]
    compile_settings: Callable[[bytes], tuple[Settings | None, tuple[Problem, ...]]]
    check_name: Callable[[str], Problem | None]
    check_case: Callable[[Sequence[str]], Iterator[Problem]]
    symlink_problem: Callable[[str], Problem]
    is_task_file: Callable[[str], bool]
    place_of: Callable[[bytes, tuple[str | int, ...]], tuple[int, int]]
    shown: Callable[[str], str]
    largest_file: int


@dataclass(frozen=True, slots=True)
class _Work:
    """What every process of a compilation knows."""

    root: str
    compiler: Compiler
    settings: Settings

    def compile(self, batch: Sequence[tuple[str, str]]) -> list[tuple[str, CompiledFile]]:
        """Return what became of each (blob, path)."""
        paths = dict(batch)
        blobs = tree.read_blobs(self.root, list(paths), self.compiler.largest_file)
        return [(blob, self.compiler.compile_task(paths[blob], content, self.settings)) for blob, content in blobs]


def compile_files(
    connection: sqlite3.Connection,
    root: str,
    compiler: Compiler,
    files: Sequence[tree.File],
    settings: tuple[str, Callable[[], Settings]],
) -> Found:
    """Compile the files of a commit that are not known yet, and keep the tasks; return the problems by blob.

    `settings` are the blob of the settings in force, and what reads them if they are needed.
    """
    settings_blob, read = settings
    # A file without a name that can be an id is told so when it is adopted; its content may be that of another task.
    wanted = {file.blob: file.path for file in files if _is_named(compiler, file)}
    known = catalogs.known_blobs(connection, settings_blob, wanted)
    unknown = [(blob, path) for blob, path in wanted.items() if blob not in known]
    found: Found = {}
    if not unknown:
        return found
    for compiled in _compiled(_Work(root, compiler, read()), unknown):
        with transaction(connection, durable=False):
            for blob, file in compiled:
                if file.task is None:
                    found[blob] = file.problems
                else:
                    catalogs.add_version(connection, blob, settings_blob, file.task)
    return found


def _is_named(compiler: Compiler, file: tree.File) -> bool:
    return not file.is_symlink and compiler.is_task_file(file.path) and compiler.check_name(file.path) is None


def _compiled(work: _Work, unknown: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, CompiledFile]]]:
    batches = [unknown[begin : begin + _BATCH] for begin in range(0, len(unknown), _BATCH)]
    cores = min(len(batches), os.cpu_count() or 1)
    if cores == 1:
        return map(work.compile, batches)
    return _side_by_side(work, batches, cores)


def _side_by_side(
    work: _Work, batches: Sequence[Sequence[tuple[str, str]]], cores: int
) -> Iterator[list[tuple[str, CompiledFile]]]:
    """Compile batches in several processes; what these leave undone, should one of them be killed, is done here."""
    # Imported when met: only hundreds of changed files are worth a second process.
    from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    # Warm before the fork: what one file loads is then there in every process.
    yield work.compile(batches[0][:1])
    global _work  # noqa: PLW0603 - how a forked worker gets what cannot be pickled: functions loaded late
    _work = work
    # What these processes make is pickled and gone; looking for cycles in it would take a tenth of their time.
    pool = ProcessPoolExecutor(cores, get_context("fork"), initializer=gc.disable)
    undone = []
    try:
        waiting = {pool.submit(_compile_batch, batch): batch for batch in (batches[0][1:], *batches[1:])}
        for future in as_completed(list(waiting)):
            batch = waiting.pop(future)  # what was made of it is not needed twice
            try:
                yield future.result()
            except BrokenProcessPool:
                undone.append(batch)
    finally:
        pool.shutdown(cancel_futures=True)
    yield from map(work.compile, undone)


_work: _Work | None = None


def _compile_batch(batch: Sequence[tuple[str, str]]) -> list[tuple[str, CompiledFile]]:
    return [] if _work is None else _work.compile(batch)
