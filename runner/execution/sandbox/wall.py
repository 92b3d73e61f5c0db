"""The wall around a task's code: put on in the child, between the fork and the code, and never taken off."""

from __future__ import annotations

import ctypes
import os
import struct

from runner.execution.sandbox import landlock

_SET_SECCOMP, _CAPBSET_DROP, _SET_NO_NEW_PRIVS = 22, 24, 38  # <linux/prctl.h>
_FILTER = 2  # SECCOMP_MODE_FILTER
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
_MOST_CAPABILITIES = 64

# PyDLL keeps the interpreter's lock and saves no errno: a child copies each page of memory that a call writes to.
_libc = ctypes.PyDLL(None)


class Wall:
    """What a child is held to. The process that forks makes it, because whatever a child makes costs it pages to copy.

    `version` is that of Landlock. `paths` have the access to each. TCP connections are held to `ports`, unless that is
    None. `program` is the filter, empty where there is none.
    """

    __slots__ = ("_fprog", "_instructions", "paths", "ports", "version")

    def __init__(
        self, version: int, program: bytes, paths: list[tuple[str, int]], ports: tuple[int, ...] | None
    ) -> None:
        self.version = version
        self.paths = paths
        self.ports = ports
        self._instructions = ctypes.create_string_buffer(program, len(program))
        address = ctypes.addressof(self._instructions)  # the same in a child
        self._fprog = struct.pack("@HP", len(program) // 8, address) if program else b""  # struct sock_fprog

    def put_on(self, own_folders: tuple[str, ...]) -> None:
        """Hold this process and its descendants to the wall; a run may write its own folders. Raises OSError."""
        self._drop_capabilities()
        _check(_libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        if self.version:
            paths = [*self.paths, *((path, landlock.WRITE | landlock.READ) for path in own_folders)]
            landlock.restrict(self.version, paths, self.ports)
        if self._fprog:
            _check(_libc.prctl(_SET_SECCOMP, _FILTER, self._fprog, 0, 0))

    def _drop_capabilities(self) -> None:
        """Drop all capabilities, and for root those that a program could get back (capabilities(7))."""
        for capability in range(_MOST_CAPABILITIES if os.geteuid() == 0 else 0):
            if _libc.prctl(_CAPBSET_DROP, capability, 0, 0, 0) < 0:
                break  # the kernel knows no further one
        _check(_libc.capset(_CAPABILITY_HEADER, bytes(24)))


def _check(result: int) -> None:
    if result < 0:
        raise OSError("the sandbox cannot be made")
