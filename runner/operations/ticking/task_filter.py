"""The seccomp filter for the permissions of a task, compiled once and then kept in the state folder.

What compiles it takes longer to load than a tick. The key of the file is made of the source of the rules.
"""

from __future__ import annotations

import os
import stat
from binascii import crc32

from runner.execution import sandbox
from runner.execution.supervising.run_environment import make_folder
from runner.model.job import Job
from runner.model.permissions import EVERYTHING, OFF, REQUIRED
from runner.value import replace

_RULES = os.path.join(os.path.dirname(os.path.abspath(sandbox.__file__)), "filters.py")
_INSTRUCTION = 8  # bytes, of struct sock_filter


class SandboxMissingError(Exception):
    """The sandbox is required, and this machine does not have all of it. The message is the reason of the run."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = "; ".join(missing)
        super().__init__(f"`sandbox` is required, and this machine does not hold {self.missing}")


def with_filter(job: Job, root: str, state: str) -> Job:
    """Return a job with the filter for its permissions; as it is, where the task is not held.

    Raises SandboxMissingError.
    """
    granted = job.permissions
    if job.learns:
        return _learning(job)
    if not granted.is_held:
        return job
    if granted.sandbox == OFF:
        return replace(job, permissions=EVERYTHING)
    from runner.execution.sandbox.grants import has_filters, not_held  # noqa: PLC0415 - only for such tasks

    missing = not_held()
    if missing and granted.sandbox == REQUIRED:
        raise SandboxMissingError(missing)
    if not has_filters():
        return job
    has_unix = any(map(_leads_to_socket, (os.path.join(root, path) for path in granted.write)))
    grants = (granted.has_network, bool(granted.ports), has_unix)
    with open(_RULES, "rb") as rules:
        name = f"{crc32(rules.read()):08x}-{os.uname().machine}-{''.join(str(int(grant)) for grant in grants)}"
    path = f"{state}/filters/{name}"
    return replace(job, filter=_kept(path) or _compiled(path, *grants))


def _learning(job: Job) -> Job:
    """Return a job with the filter that tells what it touches, where this machine has filters."""
    from runner.execution.sandbox.grants import has_filters  # noqa: PLC0415 - only for a run that learns

    if not has_filters():
        return job
    from runner.execution.sandbox.filters import learned_calls, learning_program  # noqa: PLC0415 - as above

    return replace(job, filter=learning_program(), calls=learned_calls())


def _leads_to_socket(path: str) -> bool:
    """Return whether a path is a unix socket, or a folder with one: only then a task gets sockets of this family.

    Before Linux 7.1, nothing holds a task that has them to the paths that it may write.
    """
    try:
        if not os.path.isdir(path):
            return stat.S_ISSOCK(os.stat(path).st_mode)
        with os.scandir(path) as entries:
            return any(stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode) for entry in entries)
    except OSError:
        return False


def _kept(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            program = file.read()
    except OSError:
        return None
    return program if program and len(program) % _INSTRUCTION == 0 else None


def _compiled(path: str, has_network: bool, has_ports: bool, has_unix: bool) -> bytes:  # noqa: FBT001 - one bit each
    from runner.execution.sandbox.filters import program  # noqa: PLC0415 - takes longer to load than a tick

    compiled = program(has_network=has_network, has_ports=has_ports, has_unix=has_unix)
    try:
        make_folder(os.path.dirname(path))
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(compiled)
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        pass  # a full disk: the next tick compiles it again
    return compiled
