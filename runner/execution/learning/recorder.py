"""In the child: tell the pool what the code touches, by the kernel's notifications and by Python's audit hooks.

The pool answers each notification (seccomp_unotify(2)). Where there are no filters, as on macOS, only the audit hooks
tell, which see no libraries in C and no started programs.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8  # seccomp(2)
_SECCOMP = {"x86_64": 317, "aarch64": 277}
#: Audit events (Python's table of audit events) that name paths: which arguments are paths, and what is done there.
_OF_PATHS = {
    "os.listdir": ((0, "read"),),
    "os.scandir": ((0, "read"),),
    "os.mkdir": ((0, "change"),),
    "os.rmdir": ((0, "change"),),
    "os.remove": ((0, "change"),),
    "os.rename": ((0, "change"), (1, "change")),
    "os.link": ((0, "read"), (1, "change")),
    "os.symlink": ((1, "change"),),
    "os.truncate": ((0, "write"),),
    "os.exec": ((0, "start"),),
    "os.posix_spawn": ((0, "start"),),
    "subprocess.Popen": ((0, "start"),),
}


class Recorder:
    """Tells what the code of one child touches, through `channel`, a socket that keeps messages apart."""

    def __init__(self, channel: int, program: bytes) -> None:
        self._channel = socket.socket(fileno=channel)
        self._program = program
        self._told: set[tuple[str, str]] = set()
        self._is_telling = False

    def begin(self) -> None:
        """Tell of everything from now on. Raises OSError."""
        if self._program:
            listener = _listener(self._program)
            socket.send_fds(self._channel, [b"listener"], [listener])
            os.close(listener)
        sys.addaudithook(self._audit)

    def tell(self, kind: str, value: str = "") -> None:
        """Tell of one touch, unless it is known. An error of the channel ends no task."""
        if (kind, value) in self._told or self._is_telling:
            return
        self._is_telling = True
        try:
            self._told.add((kind, value))
            self._channel.send(f"{kind}\0{value}".encode("utf-8", "surrogateescape"))
        except OSError:
            pass  # the task has closed the descriptor
        finally:
            self._is_telling = False

    def _audit(self, event: str, values: tuple[Any, ...]) -> None:
        try:
            if event in {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}:
                self._of_socket(event, *values[:2])
            elif not self._program and event == "open":
                flags = values[2] if isinstance(values[2], int) else os.O_RDONLY
                self._of_path(values[0], lambda path: f"open {flags} {path}")
            elif not self._program:
                for index, access in _OF_PATHS.get(event, ()):
                    self._of_path(values[index], lambda path, access=access: f"{access} 0 {path}")  # type: ignore[misc]
        except Exception:  # noqa: BLE001, S110 - a hook that raises would keep the code from what it does
            pass

    def _of_path(self, path: object, text: Callable[[str], str]) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            self.tell("path", text(os.path.abspath(os.fsdecode(path))))

    def _of_socket(self, event: str, made: socket.socket, address: object) -> None:
        if made.family not in {socket.AF_INET, socket.AF_INET6}:
            if made.family == socket.AF_UNIX and isinstance(address, str) and address and event != "socket.bind":
                self.tell("path", f"write 0 {os.path.abspath(address)}")
        elif made.type != socket.SOCK_STREAM or event == "socket.bind":
            self.tell("network")
        elif isinstance(address, tuple):
            self.tell("port", str(int(address[1])))


def _listener(program: bytes) -> int:
    """Put a filter on this process, and return the descriptor of its notifications. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = ctypes.create_string_buffer(program, len(program))
    filter_program = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))  # struct sock_fprog
    libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    number = _SECCOMP[os.uname().machine]
    descriptor: int = libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, filter_program)
    if descriptor < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return descriptor
