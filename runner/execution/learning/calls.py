"""The system calls of which a learning run tells, and what each of them is about (man pages, section 2)."""

from __future__ import annotations

import os

from runner.value import Value


class PathArgument(Value):
    """An argument of a call that is a path. `folder` is the argument with the folder that it is relative to, or None.

    `access` says what the call does there: `open` by the flags of the call, `start` a program, `read` or `write` a
    file, or `change` the folder that the path is in.
    """

    path: int
    access: str
    folder: int | None = None
    flags: int | None = None


#: The calls with paths.
PATHS = {
    "open": (PathArgument(0, "open", flags=1),),
    "openat": (PathArgument(1, "open", 0, 2),),
    "openat2": (PathArgument(1, "open", 0, 2),),
    "creat": (PathArgument(0, "change"),),
    "truncate": (PathArgument(0, "write"),),
    "mkdir": (PathArgument(0, "change"),),
    "mkdirat": (PathArgument(1, "change", 0),),
    "mknod": (PathArgument(0, "change"),),
    "mknodat": (PathArgument(1, "change", 0),),
    "rmdir": (PathArgument(0, "change"),),
    "unlink": (PathArgument(0, "change"),),
    "unlinkat": (PathArgument(1, "change", 0),),
    "rename": (PathArgument(0, "change"), PathArgument(1, "change")),
    "renameat": (PathArgument(1, "change", 0), PathArgument(3, "change", 2)),
    "renameat2": (PathArgument(1, "change", 0), PathArgument(3, "change", 2)),
    "link": (PathArgument(0, "read"), PathArgument(1, "change")),
    "linkat": (PathArgument(1, "read", 0), PathArgument(3, "change", 2)),
    "symlink": (PathArgument(1, "change"),),
    "symlinkat": (PathArgument(2, "change", 1),),
    "execve": (PathArgument(0, "start"),),
    "execveat": (PathArgument(1, "start", 0),),
}
#: The calls with the address of a socket: the arguments that have the address and its length.
ADDRESSES = {"connect": (1, 2), "bind": (1, 2), "sendto": (4, 5)}
#: A call that sends several messages; a C library asks for the names of hosts by it.
SEND_MANY = "sendmmsg"
CALLS = (*PATHS, *ADDRESSES, SEND_MANY)

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


def access_of_flags(flags: int, *, exists: bool) -> str:
    """Return what open(2) does with these flags: `read` or `write` a file, `change` its folder; empty for neither."""
    if flags & getattr(os, "O_PATH", 0):
        return ""
    if flags & getattr(os, "O_TMPFILE", 0) == getattr(os, "O_TMPFILE", -1):
        return "write"
    if flags & os.O_CREAT and not exists:
        return "change"
    return "write" if flags & _WRITES else "read"
