"""In the pool: receive what a learning child touches, and keep what its permissions do not grant.

The kernel holds each call of the child until the pool has read its arguments from the memory of the child, and has let
it go on (seccomp_unotify(2)). A call whose arguments cannot be read is denied: nothing happens that is not seen.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
import stat
import struct

from runner.execution.learning.calls import ADDRESSES, PATHS, SEND_MANY, PathArgument, access_of_flags
from runner.execution.sandbox import landlock
from runner.value import Value

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from runner.model.job import Job

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and …_SEND of <linux/seccomp.h>
_CALL = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_ANSWER = struct.Struct("=QqiI")  # struct seccomp_notif_resp
_CONTINUE = 1
_PIDFD_GETFD = 438  # the same on all architectures
_CURRENT = 0xFFFFFF9C  # AT_FDCWD as the kernel reads it: an int
_LONGEST_PATH = 4096
_LONGEST_MESSAGE = 8192
_DNS = 53
#: Sockets of services that C libraries ask if they are there, and do without.
_OPTIONAL = ("/run/nscd/", "/var/run/nscd/", "/run/systemd/", "/run/dbus/")
#: What programs look at if they may, and do without.
_UNNEEDED = ("/proc/filesystems",)


class _Unreadable(Exception):  # noqa: N818 - caught in this module only
    """The arguments of a call cannot be read."""


class _Call(Value):
    """One call that the kernel holds."""

    id: int
    pid: int
    name: str
    arguments: tuple[int, ...]


class Observer:
    """Observes one child. `touched` has what it has touched beyond its permissions, in order: `KIND VALUE`.

    The kinds are `import` with a module, `subprocess`, `network`, `port` with its number, `read` and `write` with a
    path, and `denied` with the name of a call.
    """

    def __init__(self, channel: socket.socket, job: Job, rules: list[tuple[str, int]]) -> None:
        """Take the rules of Landlock that the permissions of the job make."""
        self._channel = channel
        self._listener: int | None = None
        self._is_heard = False
        self._permissions = job.permissions
        self._calls = dict(job.calls)
        self._rules = [(os.path.realpath(path), access) for path, access in rules]
        self.touched: dict[str, None] = {}

    @property
    def channel(self) -> int:
        """The descriptor that is readable when the child tells something."""
        return self._channel.fileno()

    def take(self, descriptor: int) -> int | None:
        """Read what has come; return a descriptor that is to be read from now on, if there is a new one."""
        if descriptor == self._listener:
            self._answer()
            return None
        known = self._listener
        self._hear()
        return self._listener if self._listener != known else None

    def is_open(self, descriptor: int) -> bool:
        """Return whether more may come from a descriptor: its other end is not closed."""
        if descriptor == self.channel:
            return not self._is_heard
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return not any(event & select.POLLHUP for _, event in poll.poll(0))

    def close(self) -> None:
        """Read what is left, and close the descriptors."""
        while select.select([self._channel], [], [], 0)[0] and self._hear():
            pass
        self._channel.close()
        if self._listener is not None:
            os.close(self._listener)

    @property
    def descriptors(self) -> list[int]:
        """All descriptors of this observer."""
        return [self.channel] if self._listener is None else [self.channel, self._listener]

    def _hear(self) -> bool:
        """Receive one message of the child; return False after the last one."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, _LONGEST_MESSAGE, 1)
        except OSError:
            return False
        for descriptor in descriptors:
            if self._listener is None:
                self._listener = descriptor
            else:
                os.close(descriptor)  # of the task, which has found the channel
        if not data:
            self._is_heard = True
            return False
        kind, _, value = data.decode("utf-8", "surrogateescape").partition("\0")
        try:
            self._note(kind, value)
        except ValueError:
            pass  # the task has written to the channel itself
        return True

    def _note(self, kind: str, value: str) -> None:
        """Note what the child tells. Raises ValueError for what no recorder tells."""
        if kind == "path":
            access, flags, path = value.split(" ", 2)
            if path.startswith("/"):
                self._touch_path(path, access, int(flags))
        elif kind == "port":
            self._touch_port(int(value))
        elif kind == "network":
            self._touch_network()
        elif kind == "import":
            self.touched[f"import {value}"] = None

    def _answer(self) -> None:
        """Let a call go on once it is known; deny one that cannot be read."""
        assert self._listener is not None  # noqa: S101 - its descriptor was readable
        received = bytearray(_CALL.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, received)
        except OSError:
            return  # the process has ended, or a signal has interrupted the call
        number, pid, _, call, _, _, *arguments = _CALL.unpack(received)
        held = _Call(number, pid, self._calls.get(call, str(call)), tuple(arguments))
        try:
            self._see(held)
            answer = _ANSWER.pack(number, 0, 0, _CONTINUE)
        except (_Unreadable, OSError):
            self.touched[f"denied {held.name}"] = None
            answer = _ANSWER.pack(number, 0, -errno.EPERM, 0)
        try:
            fcntl.ioctl(self._listener, _SEND, answer)
        except OSError:
            pass  # as above

    def _see(self, call: _Call) -> None:
        for argument in PATHS.get(call.name, ()):
            path = _path(call, argument)
            if path is not None:
                self._touch_path(path, argument.access, _flags(call, argument))
        if call.name in ADDRESSES:
            self._see_address(call, *ADDRESSES[call.name])
        elif call.name == SEND_MANY and _type_of_socket(call) in {socket.SOCK_DGRAM, socket.SOCK_RAW}:
            self._touch_network()

    def _see_address(self, call: _Call, address: int, length: int) -> None:
        size = min(call.arguments[length] & 0xFFFFFFFF, 128)  # struct sockaddr_storage
        data = _memory(call.pid, call.arguments[address], size)
        if len(data) < 2:  # noqa: PLR2004 - the family
            return
        family = int.from_bytes(data[:2], "little" if struct.pack("=H", 1) == b"\1\0" else "big")
        if family == socket.AF_UNIX:
            self._see_unix(call, data[2:])
        elif family in {socket.AF_INET, socket.AF_INET6}:
            port = int.from_bytes(data[2:4], "big")
            if _type_of_socket(call) == socket.SOCK_STREAM:
                self._touch_network() if call.name == "bind" else self._touch_port(port)
            elif call.name == "sendto" or port == _DNS:  # a C library connects sockets of UDP to compare addresses
                self._touch_network()

    def _see_unix(self, call: _Call, name: bytes) -> None:
        if name[:1] == b"\0" or not name:
            if name:
                self._touch_network()
            return
        path = os.path.join(_link(f"/proc/{call.pid}/cwd"), os.fsdecode(name.split(b"\0", 1)[0]))
        if call.name == "bind":
            self._touch_path(path, "change", 0)
        elif _is_socket(path) and not os.path.realpath(path).startswith(_OPTIONAL):
            self._touch_path(path, "write", 0)

    def _touch_network(self) -> None:
        if not self._permissions.has_network:
            self.touched["network"] = None

    def _touch_port(self, port: int) -> None:
        if not self._permissions.may_connect(port):
            self.touched[f"port {port}"] = None

    def _touch_path(self, path: str, access: str, flags: int) -> None:
        path = os.path.normpath(path)
        exists = os.path.lexists(path)
        if access == "open":
            access = access_of_flags(flags, exists=exists)
        if access == "start":
            if not exists or os.path.isdir(path):
                return  # a shell looks into each folder of PATH
            if not self._permissions.can_start:
                self.touched["subprocess"] = None
            access = "read"
        if access == "change":
            path, access = os.path.dirname(path), "write"
        path = os.path.realpath(path)
        if access and os.path.exists(path) and not self._is_granted(path, access):
            self.touched[f"{access} {path}"] = None

    def _is_granted(self, path: str, access: str) -> bool:
        parts = path.split("/")
        if "__pycache__" in parts or path in _UNNEEDED or (parts[1] == "proc" and (parts[2:3] or [""])[0].isdigit()):
            return True  # Python does without its bytecode; and a process may look at itself
        return landlock.is_granted(path, self._rules, writes=access == "write")


def _path(call: _Call, argument: PathArgument) -> str | None:
    """Return the absolute path in an argument of a call; None for an empty one, which means a descriptor."""
    name = os.fsdecode(_text(call.pid, call.arguments[argument.path]))
    if not name:
        return None
    for own in ("/proc/self", "/proc/thread-self"):
        if name == own or name.startswith(f"{own}/"):
            name = f"/proc/{call.pid}{name.removeprefix(own)}"
    if name.startswith("/"):
        return name
    folder = _CURRENT if argument.folder is None else call.arguments[argument.folder] & 0xFFFFFFFF
    of_folder = "cwd" if folder == _CURRENT else f"fd/{folder}"
    return os.path.join(_link(f"/proc/{call.pid}/{of_folder}"), name)


def _flags(call: _Call, argument: PathArgument) -> int:
    """Return the flags of open(2); openat2(2) has them at the beginning of a structure."""
    if argument.flags is None:
        return 0
    value = call.arguments[argument.flags]
    if call.name == "openat2":
        return int(struct.unpack("=Q", _memory(call.pid, value, 8))[0])
    return value


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        raise _Unreadable from None


def _text(pid: int, address: int) -> bytes:
    """Return the text at an address, up to its NUL. A page may be the last one that can be read."""
    text = b""
    while len(text) < _LONGEST_PATH:
        piece = _memory(pid, address + len(text), 256 - (address + len(text)) % 256)
        if b"\0" in piece:
            return text + piece[: piece.index(b"\0")]
        text += piece
    raise _Unreadable


def _memory(pid: int, address: int, size: int) -> bytes:
    if not address:
        return b"\0"
    try:
        descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(descriptor, size, address)
        finally:
            os.close(descriptor)
    except (OSError, OverflowError):
        raise _Unreadable from None
    if not data:
        raise _Unreadable
    return data


def _type_of_socket(call: _Call) -> int:
    """Return the type of the socket in the first argument of a call (pidfd_getfd(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/proc/{call.pid}/status", encoding="utf-8") as status:
        group = next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))
    process = os.pidfd_open(group)
    try:
        descriptor = libc.syscall(_PIDFD_GETFD, process, ctypes.c_int(call.arguments[0] & 0xFFFFFFFF), 0)
    finally:
        os.close(process)
    if descriptor < 0:
        raise _Unreadable
    with socket.socket(fileno=descriptor) as found:
        return int(found.type)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
