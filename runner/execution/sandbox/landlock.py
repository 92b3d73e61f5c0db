"""Landlock: what a process and its descendants may open, and where they may connect (landlock(7)).

The constants are those of <linux/landlock.h>; a test compares them with the library landlockpy. That library is not
used here, because its enums and dataclasses would cost a child more than all of these calls.
"""

from __future__ import annotations

import ctypes
import os
import struct

from runner.model.permissions import is_within

TYPE_CHECKING = (
    False  # the name is enough for type checkers; `typing` itself stays off the path of the process that forks
)
if TYPE_CHECKING:
    from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_VERSION = 1  # the flag of landlock_create_ruleset that asks for the ABI
_PATH_BENEATH, _NET_PORT = 1, 2

#: Access to files: name → bit.
FS = {
    "EXECUTE": 0,
    "WRITE_FILE": 1,
    "READ_FILE": 2,
    "READ_DIR": 3,
    "REMOVE_DIR": 4,
    "REMOVE_FILE": 5,
    "MAKE_CHAR": 6,
    "MAKE_DIR": 7,
    "MAKE_REG": 8,
    "MAKE_SOCK": 9,
    "MAKE_FIFO": 10,
    "MAKE_BLOCK": 11,
    "MAKE_SYM": 12,
    "REFER": 13,
    "TRUNCATE": 14,
    "IOCTL_DEV": 15,
    "RESOLVE_UNIX": 16,
}
NET = {"BIND_TCP": 0, "CONNECT_TCP": 1, "BIND_UDP": 2, "CONNECT_SEND_UDP": 3}
SCOPE = {"ABSTRACT_UNIX_SOCKET": 0, "SIGNAL": 1}
#: From which ABI on there are how many of these bits.
FS_BITS = {1: 13, 2: 14, 3: 15, 5: 16, 9: 17}
NET_BITS = {4: 2, 10: 4}
SCOPE_BITS = {6: 2}

_BIT = {name: 1 << bit for name, bit in FS.items()}
READ = _BIT["READ_FILE"] | _BIT["READ_DIR"]
EXECUTE = _BIT["EXECUTE"]
WRITE_FILE = _BIT["WRITE_FILE"]
UNIX = _BIT["RESOLVE_UNIX"]
#: All but devices: a task makes none.
WRITE = sum(_BIT.values()) & ~(_BIT["MAKE_CHAR"] | _BIT["MAKE_BLOCK"] | EXECUTE)
_OF_FILES = _BIT["EXECUTE"] | _BIT["WRITE_FILE"] | _BIT["READ_FILE"] | _BIT["TRUNCATE"] | _BIT["IOCTL_DEV"]
CONNECT = 1 << NET["CONNECT_TCP"]

_syscall = ctypes.CDLL(None, use_errno=True).syscall


def abi() -> int:
    """Return the version of Landlock in this kernel; 0 where there is none, or it is switched off."""
    return max(0, int(_syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)))


def _bits(by_abi: dict[int, int], version: int) -> int:
    return (1 << max((count for first, count in by_abi.items() if first <= version), default=0)) - 1


def handled(version: int) -> tuple[int, int, int]:
    """Return the bits of files, network and scopes that a version of Landlock can hold."""
    return _bits(FS_BITS, version), _bits(NET_BITS, version), _bits(SCOPE_BITS, version)


def access_to(path: str, access: int) -> int:
    """Return the part of an access that a path can have: for a file, what is about folders is an error."""
    return access if os.path.isdir(path) else access & _OF_FILES


def is_granted(path: str, rules: Iterable[tuple[str, int]], *, writes: bool) -> bool:
    """Return whether one of these rules grants to write a path, or to read it."""
    access = WRITE_FILE if writes else READ
    return any(granted & access and is_within(path, rule) for rule, granted in rules)


def restrict(version: int, paths: list[tuple[str, int]], ports: tuple[int, ...] | None) -> None:
    """Hold this process and its descendants to these paths, each with its access, and to these TCP ports, if not None.

    The access is what `access_to` has returned. Paths that are not there are left out. `no_new_privs` has to be set.
    Raises OSError.
    """
    fs, net, scopes = handled(version)
    net = 0 if ports is None else net
    # A kernel refuses a longer struct landlock_ruleset_attr than its own, unless the rest is zero.
    attributes = struct.pack("=QQQ", fs, net, scopes)
    size = len(attributes)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    try:
        for path, access in paths:
            _add_path(ruleset, path, access & fs)
        for port in (ports or ()) if net else ():
            _call(_ADD_RULE, ruleset, _NET_PORT, struct.pack("=QQ", CONNECT, port), 0)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _add_path(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there: nothing can be opened below it
    try:
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result: int = _syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
