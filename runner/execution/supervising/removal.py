"""Remove a private folder with all that a task has left in it, without another program and without raising an error.

The walk keeps one open descriptor and no path, so that neither the depth of folders nor the length of their paths has
a limit. It follows no link and enters no mount.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: The errors of rmdir(2) for a folder that is not empty.
_HAS_CONTENT = (errno.ENOTEMPTY, errno.EEXIST)


def remove_folder(path: str) -> None:
    """Remove a folder as far as possible, and raise no error: a folder that stays must not make a run fail."""
    try:
        _remove(path)
    except OSError:
        pass  # a mount, a folder of another user, a broken or full disk


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
    """A walk through a folder that removes its content.

    `_above` has, for each folder from the top down to the open one, its name and the device and inode of its parent.
    `_waiting` has, for the same folders, the names of the folders that are still to be emptied.
    """

    def __init__(self, top: int) -> None:
        self._here = os.dup(top)
        self._above: list[tuple[str, tuple[int, int]]] = []
        self._waiting: list[list[str]] = []

    def empty(self) -> None:
        """Remove everything below the top. Raises OSError if another process moves the folders meanwhile."""
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
            return  # no permission to open the folder: it stays
        self._above.append((name, _device_and_inode(self._here)))
        os.close(self._here)
        self._here = below
        self._waiting.append(_clear(below))

    def _go_up(self) -> None:
        name, expected = self._above.pop()
        parent = os.open("..", _FLAGS, dir_fd=self._here)
        os.close(self._here)
        self._here = parent
        if _device_and_inode(parent) != expected:
            raise FileNotFoundError("the folder was moved while it was being removed")
        _is_gone(name, parent)


def _clear(folder: int) -> list[str]:
    """Remove the files and the empty folders in a folder; return the names of the folders that are not empty."""
    try:
        os.fchmod(folder, stat.S_IRWXU)
    except OSError:
        pass  # the folder belongs to another user, but its permissions may allow to remove its content
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [name for name in names if not _is_gone(name, folder)]


def _is_gone(name: str, folder: int | None) -> bool:
    """Remove a file, a link or an empty folder; return False for a folder that must be emptied first.

    Return True also where it cannot be removed. rmdir(2) follows no link. It refuses a mount with EBUSY and a folder
    that is not empty with another error, so that a mount is left alone.
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
    """Return a descriptor of a folder, also where the task has removed the owner's permissions."""
    try:
        return os.open(name, _FLAGS, dir_fd=folder)
    except PermissionError:
        _unlock(name, folder)
        return os.open(name, _FLAGS, dir_fd=folder)


def _unlock(name: str, folder: int | None) -> None:
    """Give the owner all permissions for a folder. If a link has replaced it, leave the target of the link alone."""
    if sys.platform != "linux":
        os.chmod(name, stat.S_IRWXU, dir_fd=folder, follow_symlinks=False)
        return
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.chmod(f"/proc/self/fd/{handle}", stat.S_IRWXU)  # fchmod(2) refuses a descriptor opened with O_PATH
    finally:
        os.close(handle)


def _device_and_inode(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino
