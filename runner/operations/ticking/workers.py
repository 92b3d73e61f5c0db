"""Apply a function to batches in several processes, each with a pipe of its own.

The processes of `concurrent.futures` share one pipe for their results, and its reader keeps the writing end open: when
a process is killed while it writes a result, the reader waits for the rest for ever. Here the reader gets an EOFError.
"""

from __future__ import annotations

import gc
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TypeVar

_Batch = TypeVar("_Batch")
_Result = TypeVar("_Result")


def in_parallel(function: Callable[[_Batch], _Result], batches: Iterable[_Batch], processes: int) -> Iterator[_Result]:
    """Yield the result of each batch, in the order in which they are ready. The processes inherit the function.

    When a process is killed, this process computes its batch at the end, and all that is left when all are killed.
    """
    waiting = deque(batches)
    lost: list[_Batch] = []
    busy: dict[Connection, _Batch] = {}
    context = get_context("fork")
    started: list[BaseProcess] = []
    try:
        while waiting and len(started) < processes:
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(function, theirs, [*busy, ours]), daemon=True)
            process.start()
            started.append(process)
            theirs.close()
            _give(ours, waiting, busy, lost)
        while busy:
            for connection in wait(list(busy)):
                assert isinstance(connection, Connection)  # noqa: S101 - no other object was given to `wait`
                batch = busy.pop(connection)
                try:
                    result: _Result = connection.recv()
                except (EOFError, OSError):  # OSError in the middle of a result
                    connection.close()
                    lost.append(batch)
                    continue
                yield result
                _give(connection, waiting, busy, lost)
    finally:
        for each in started:
            each.kill()
            each.join()
    yield from map(function, [*lost, *waiting])


def _give(connection: Connection, waiting: deque[_Batch], busy: dict[Connection, _Batch], lost: list[_Batch]) -> None:
    """Give the next batch to a process, if one is waiting; else close its pipe, which ends it."""
    if not waiting:
        connection.close()
        return
    batch = waiting.popleft()
    try:
        connection.send(batch)
    except OSError:  # the process was killed while it had nothing to do
        connection.close()
        lost.append(batch)
    else:
        busy[connection] = batch


def _serve(function: Callable[[_Batch], object], batches: Connection, others: list[Connection]) -> None:
    """Compute batches until the pipe is closed. `others` are the ends of the parent, which this process inherits."""
    for connection in others:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it as well, and kills this process
    gc.disable()  # results are pickled and dropped: looking for reference cycles would take a tenth of the time
    while True:
        try:
            batches.send(function(batches.recv()))
        except (EOFError, OSError):
            return  # the parent has closed the pipe, or was killed
