"""Limits that the kernel holds each process of a task to (setrlimit(2)). Called in the child; what it starts inherits them."""

from __future__ import annotations

import resource
import sys

from runner.model.limits import Limits

#: Seconds by which the kernel comes later than the tick, which counts the whole tree and knows what to call it.
#: The kernel counts by clock ticks: on a busy machine that is up to a tenth of a second ahead of getrusage(2).
_CPU_HEAD_START = 1
#: Seconds between the signal that says that the time on the processor is up, and the one that cannot be ignored.
_CPU_GRACE = 2
#: Since Linux 4.7 RLIMIT_DATA counts all private memory that can be written (setrlimit(2)), and not what is merely reserved.
_MEMORY = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
#: What a child keeps for telling why it ends.
_SPARE_MEMORY = 16 << 20
_SPARE_FILES = 16
#: The stack of a thread is 8 MiB by default, and counts as a whole: a few dozen would be more than most limits.
_THREAD_STACK = 1 << 20


def set_limits(limits: Limits) -> None:
    """Limit this process and all that it will start."""
    if limits.memory is not None:
        import _thread  # noqa: PLC0415 - `threading` would be loaded for nothing

        _thread.stack_size(_THREAD_STACK)
        _set(_MEMORY, limits.memory, limits.memory + _SPARE_MEMORY)
    if limits.cpu is not None:
        seconds = -int(-limits.cpu.total_seconds() // 1) + _CPU_HEAD_START
        _set(resource.RLIMIT_CPU, seconds, seconds + _CPU_GRACE)
    if limits.open_files is not None:
        _set(resource.RLIMIT_NOFILE, limits.open_files, limits.open_files + _SPARE_FILES)
    if limits.file_size is not None:
        _set(resource.RLIMIT_FSIZE, limits.file_size, limits.file_size)
    # Not RLIMIT_NPROC: it counts all processes of the user, other tasks' too, and binds nobody who is root. The pool counts.


def use_spare() -> None:
    """Let this process use what it has kept for telling why it ends."""
    for what in (_MEMORY, resource.RLIMIT_NOFILE):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (hard, hard))


def _set(what: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(what)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(what, (soft, hard))
