"""Limits that the kernel enforces for each process of a task (setrlimit(2)). The child sets them for itself."""

from __future__ import annotations

import resource
import sys

from runner.model.limits import Limits

#: Seconds that the kernel's limit of CPU time is above the task's. So the pool, which measures all descendants, ends
#: the attempt first and gives the reason. The kernel counts in clock ticks: on a busy machine, its count is up to a
#: tenth of a second above that of getrusage(2).
_CPU_HEAD_START = 1
#: Seconds of CPU time between SIGXCPU and SIGKILL.
_CPU_GRACE = 2
#: Since Linux 4.7, RLIMIT_DATA counts all private writable memory, and no memory that is only reserved (setrlimit(2)).
_MEMORY = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
#: Bytes and descriptors above the limits, with which a child reports why it ends.
_SPARE_MEMORY = 16 << 20
_SPARE_FILES = 16
#: Bytes. The default stack of a thread is 8 MiB and counts in full: a few dozen threads would exceed most limits.
_THREAD_STACK = 1 << 20


def set_limits(limits: Limits) -> None:
    """Set the limits of this process, which its children inherit."""
    if limits.memory is not None:
        import _thread  # noqa: PLC0415 - `threading` would load more than is needed

        _thread.stack_size(_THREAD_STACK)
        _set(_MEMORY, limits.memory, limits.memory + _SPARE_MEMORY)
    if limits.cpu is not None:
        seconds = -int(-limits.cpu.total_seconds() // 1) + _CPU_HEAD_START
        _set(resource.RLIMIT_CPU, seconds, seconds + _CPU_GRACE)
    if limits.open_files is not None:
        _set(resource.RLIMIT_NOFILE, limits.open_files, limits.open_files + _SPARE_FILES)
    if limits.file_size is not None:
        _set(resource.RLIMIT_FSIZE, limits.file_size, limits.file_size)
    # RLIMIT_NPROC is not set, because it counts all processes of the user, and root is exempt. The pool counts
    # processes.


def use_spare() -> None:
    """Let this process use the spare memory and descriptors, to report why it ends."""
    for what in (_MEMORY, resource.RLIMIT_NOFILE):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (hard, hard))


def _set(what: int, soft: int, hard: int) -> None:
    _, ceiling = resource.getrlimit(what)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(what, (soft, hard))
