"""Explain what the operating system refuses: no bug of ours, and nothing that the command can repair."""

from __future__ import annotations

import errno

from runner.errors import RunnerError

#: Only a mistake of a program makes these: a descriptor, an argument, an address or a process that it should have
#: known.
_BUGS = {errno.EBADF, errno.EINVAL, errno.EFAULT, errno.ECHILD, errno.ESRCH, errno.ENOSYS, None}
_PERMISSIONS = "check the permissions, and which user runs runner"
_PATHS = "check the path, and that each of its folders exists"
_SPACE = "free some space"
_HINTS = {
    errno.EMFILE: "raise the limit of open files: `ulimit -n`",
    errno.ENFILE: "raise the machine's limit of open files",
    errno.EAGAIN: "raise the limit of processes: `ulimit -u`",
    errno.EFBIG: "raise the limit of file sizes: `ulimit -f`",
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "mount the file system so that it can be written",
    errno.ENOENT: _PATHS,
    errno.ENOTDIR: _PATHS,
    errno.EISDIR: _PATHS,
    errno.ELOOP: "a symbolic link leads back to itself: remove it",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.EIO: "check the disk",
    errno.ENOMEM: "free some memory, or raise the limit: `ulimit -v`",
}


def refused(error: BaseException) -> RunnerError | None:
    """Return in words what the operating system has refused; None for any other error."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return RunnerError("there is not enough memory", _HINTS[errno.ENOMEM])
    if isinstance(error, OSError) and error.errno not in _BUGS:
        path = "" if error.filename is None else f" ({_named(error.filename)})"
        return RunnerError(f"the operating system refuses: {error.strerror}{path}", hint_for(error))
    if isinstance(error, SystemError):
        # CPython raises it where its C code cannot continue: almost always for lack of memory.
        return RunnerError(f"the interpreter failed: {error}", _HINTS[errno.ENOMEM])
    if isinstance(error, ImportError):
        return _not_loaded(error)
    return None


def hint_for(error: OSError) -> str | None:
    """Return the hint for an error of the operating system."""
    return _HINTS.get(error.errno or 0)


def _not_loaded(error: ImportError) -> RunnerError | None:
    """Explain why a module cannot be loaded: no memory for a library, or an error of the system in its own code."""
    cause = error.__cause__ or error.__context__
    explained = None if cause is None or isinstance(cause, ImportError) else refused(cause)
    if explained is not None:
        return explained
    if ".so" in str(error):
        return RunnerError(f"a library cannot be loaded: {error}", _HINTS[errno.ENOMEM])
    return None


def _named(path: object) -> str:
    return path.decode("utf-8", "replace") if isinstance(path, bytes) else str(path)
