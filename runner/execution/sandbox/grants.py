"""The wall of one job: what every task may touch, and what its permissions add."""

from __future__ import annotations

import os
import sys

from runner.execution.sandbox import landlock
from runner.execution.sandbox.wall import Wall

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from typing import Any

    from runner.execution.supervising.run_environment import RunEnvironment
    from runner.model.job import Job

#: What programs and the C library read, and has no secrets. As root, a task is the owner of /etc/ssl/private.
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"),
    *("/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/mime.types", "/etc/passwd", "/etc/group"),
    *("/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/protocols", "/etc/services"),
    *("/etc/hosts", "/etc/resolv.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/ca-certificates"),
    *("/etc/pki/tls/certs", "/etc/pki/ca-trust"),
    *("/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"),
)
_DEVICES = ("/dev/null",)
#: The folder of this package, from which a child may load modules after it was walled.
_RUNNER = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: The architectures for which seccompy knows the calls.
_FILTERED = frozenset({"x86_64", "aarch64"})
#: What a version of Landlock is the first to hold.
_PARTS = (
    (1, "files (Landlock is missing)"),
    (3, "truncating files"),
    (4, "TCP ports"),
    (6, "signals to other processes, and abstract unix sockets"),
)
_version: list[int] = []
_found: dict[str, Any] = {}


def version() -> int:
    """Return the version of Landlock in this kernel, which is asked once; 0 where there is none."""
    if not _version:
        _version.append(landlock.abi() if sys.platform == "linux" else 0)
    return _version[0]


def has_filters() -> bool:
    """Return whether there are seccomp filters for this machine."""
    return sys.platform == "linux" and os.uname().machine in _FILTERED


def not_held() -> list[str]:
    """Return the parts of the sandbox that this machine does not have, in words."""
    found = version()
    parts = [words for first, words in _PARTS if found < first]
    if not has_filters():
        parts.append("sockets other than TCP, and what may be done to other processes (no filter for this machine)")
    return parts


def wall_of(job: Job, environment: RunEnvironment) -> Wall:
    """Return the wall of a job."""
    granted, handled = job.permissions, landlock.handled(version())[0]
    rules = [(path, landlock.access_to(path, access) & handled) for path, access in rules_of(job, environment)]
    rules = [rule for rule in rules if rule[1]]
    return Wall(version(), job.filter, rules, None if granted.has_network else granted.ports)


def rules_of(job: Job, environment: RunEnvironment) -> list[tuple[str, int]]:
    """Return the paths that a job may touch, besides its own folders, each with the access of Landlock.

    Paths in its permissions are relative to the repository.
    """
    granted, repository = job.permissions, environment.root
    # A task that is tried runs in the work tree, which has more than the files of a commit.
    own = [f"{job.root}/tasks", f"{job.root}/lib"] if job.root == repository else [job.root]
    readable = landlock.READ | (landlock.EXECUTE if granted.can_start else 0)
    writable = landlock.WRITE | readable
    paths = [(path, readable) for path in (*_common(repository, environment.state), *own)]
    paths += [(os.path.join(repository, path), readable) for path in granted.read]
    if granted.has_network:
        paths.append(("/", landlock.UNIX))
    paths += [(path, writable) for path in (*_DEVICES, *(os.path.join(repository, path) for path in granted.write))]
    return paths


def _common(*hidden: str) -> list[str]:
    """Return what every task reads: of that, only what is there, and nothing of the hidden folders or above them."""
    programs, modules = (*_SYSTEM, sys.base_prefix, sys.prefix, _RUNNER), tuple(filter(None, sys.path))
    key = (programs, modules, hidden)
    if _found.get("for") != key:
        closed = [os.path.realpath(path) for path in hidden]
        there = {found for path in programs for found in _without(os.path.realpath(path), closed)}
        # An editable install has a whole checkout here, perhaps with the repository of the tasks in it.
        there |= {path for path in map(os.path.realpath, modules) if _without(path, closed) == [path]}
        kept: list[str] = []
        for path in sorted(there):
            if not any(path.startswith(f"{folder}/") for folder in kept):
                kept.append(path)
        _found.update({"for": key, "paths": [*kept, "/proc/self"]})
    return list(_found["paths"])


def _without(path: str, hidden: list[str]) -> list[str]:
    """Return a path, if it is there; in place of a folder with a hidden one, what else is in it."""
    if path in hidden or not os.path.exists(path):
        return []
    if not any(folder.startswith(f"{path}/") for folder in hidden):
        return [path]
    return [found for name in sorted(os.listdir(path)) for found in _without(os.path.join(path, name), hidden)]
