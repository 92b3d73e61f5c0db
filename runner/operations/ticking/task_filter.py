"""The seccomp filter for the permissions of a task, compiled once and then kept in the state folder.

What compiles it takes longer to load than a tick. The key of the file is made of the source of the rules.
"""

from __future__ import annotations

import os
import sys
from binascii import crc32

from runner.execution import sandbox
from runner.execution.supervising.run_environment import make_folder
from runner.model.job import Job
from runner.value import replace

_RULES = os.path.join(os.path.dirname(os.path.abspath(sandbox.__file__)), "filters.py")
_INSTRUCTION = 8  # bytes, of struct sock_filter


def with_filter(job: Job, state: str) -> Job:
    """Return a job with the filter for its permissions; as it is, where it has declared none, or not on Linux."""
    granted = job.permissions
    if not granted.is_declared or sys.platform != "linux":
        return job
    grants = (granted.has_network, bool(granted.ports), bool(granted.write))
    with open(_RULES, "rb") as rules:
        name = f"{crc32(rules.read()):08x}-{os.uname().machine}-{''.join(str(int(grant)) for grant in grants)}"
    path = f"{state}/filters/{name}"
    return replace(job, filter=_kept(path) or _compiled(path, *grants))


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
