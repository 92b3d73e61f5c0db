"""Remove a private folder with all that a task has left in it: without a helper program, and without ever raising an error.

The walk holds one descriptor and no path, so neither depth nor length has a limit; it follows no link and enters no mount.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: What rmdir(2) says of a folder that is not empty.
_HAS_CONTENT = (errno.ENOTEMPTY, errno.EEXIST)


def remove_folder(path: str) -> None:
    """Remove what is at the path, as far as that is possible: the record of a run never depends on it."""
    try:
        _remove(path)
    except OSError:
        pass  # a mount, a folder of somebody else, a broken or full disk: what is left harms no run


def _remove(path: str) -> None:
    if _is_gone(path, None):
        return
    folder = _open(path, None)
    try:
        _Walk(folder).empty()
    finally:
        os.close(folder)
    os.rmdir(path)


class _Walk:
    """`_above` has, for each folder from the top to the one that is open: its name, and which folder it lies in."""

    def __init__(self, top: int) -> None:
        self._here = os.dup(top)
        self._above: list[tuple[str, tuple[int, int]]] = []
        self._waiting: list[list[str]] = []

    def empty(self) -> None:
        """Remove everything below the top. Raises OSError where somebody moves the folders meanwhile."""
        try:
            self._waiting.append(_clear(self._here))
            while self._waiting:
                if self._waiting[-1]:
                    self._go_down(self._waiting[-1].pop())
                else:
                    self._waiting.pop()
                    if self._above:
                        self._go_up()
        finally:
            os.close(self._here)

    def _go_down(self, name: str) -> None:
        try:
            below = _open(name, self._here)
        except OSError:
            return  # not ours to open: it stays
        self._above.append((name, _which(self._here)))
        os.close(self._here)
        self._here = below
        self._waiting.append(_clear(below))

    def _go_up(self) -> None:
        name, expected = self._above.pop()
        parent = os.open("..", _FLAGS, dir_fd=self._here)
        os.close(self._here)
        self._here = parent
        if _which(parent) != expected:
            raise FileNotFoundError("the folder was moved while it was being removed")
        _is_gone(name, parent)


def _clear(folder: int) -> list[str]:
    """Remove the files of a folder and the empty folders in it; return the names of those that have something in them."""
    try:
        os.fchmod(folder, stat.S_IRWXU)
    except OSError:
        pass  # it belongs to somebody else, who may let us remove what is in it
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name for name in names if not _is_gone(name, folder)]


def _is_gone(name: str, folder: int | None) -> bool:
    """Remove a file, a link or an empty folder; return whether there is nothing more to be done about it.

    rmdir(2) follows no link, and tells a mount (EBUSY), which is left alone, from a folder that has something in it.
    """
    try:
        os.rmdir(name, dir_fd=folder)
    except NotADirectoryError:
        return _is_unlinked(name, folder)
    except OSError as error:
        return error.errno not in _HAS_CONTENT
    return True


def _is_unlinked(name: str, folder: int | None) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        pass  # it stays, and so does its folder
    return True


def _open(name: str, folder: int | None) -> int:
    """Open a folder, also one that the task has closed to its owner."""
    try:
        return os.open(name, _FLAGS, dir_fd=folder)
    except PermissionError:
        _unlock(name, folder)
        return os.open(name, _FLAGS, dir_fd=folder)


def _unlock(name: str, folder: int | None) -> None:
    """Give a folder back to its owner; never what a link that has taken its place leads to."""
    if sys.platform != "linux":
        os.chmod(name, stat.S_IRWXU, dir_fd=folder, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)  # fchmod(2) refuses such a descriptor
    finally:
        os.close(handle)


def _which(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino
