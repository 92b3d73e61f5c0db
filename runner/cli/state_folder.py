"""Make the state folder when it is first needed, keep it out of git, and explain why it cannot be used."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from runner.cli.os_errors import hint_for
from runner.errors import StoreError
from runner.operations.workspace import Workspace

_ANOTHER = "give another one with --state DIR"
_IGNORE = "# the state of runner; not for git\n*\n"


def check_state(workspace: Workspace) -> None:
    """Check that the state folder can be used, or does not exist yet.

    Raises StoreError.
    """
    try:
        is_folder = stat.S_ISDIR(os.stat(workspace.state).st_mode)
    except FileNotFoundError as error:
        if os.path.islink(workspace.state):
            raise _unusable(workspace.state, "used", error) from error
        return
    except OSError as error:
        raise _unusable(workspace.state, "used", error) from error
    if not is_folder:
        raise StoreError(f"the folder {workspace.state} cannot be used: it is not a folder", _ANOTHER)
    if not os.access(workspace.state, os.X_OK):
        raise _unusable(workspace.state, "used", PermissionError(13, "Permission denied"))


def prepare_state(workspace: Workspace) -> None:
    """Make the state folder, with a .gitignore, where it is missing. Raises StoreError."""
    if os.path.isdir(workspace.state):
        return
    try:
        os.makedirs(workspace.state, exist_ok=True)  # another tick may make it first
        _keep_out_of_git(workspace.state)
    except OSError as error:
        raise _unusable(workspace.state, "made", error) from error


def _keep_out_of_git(state: str) -> None:
    path = f"{state}/.gitignore"
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(_IGNORE)
    except OSError:
        # The folder is removed, because the next command would not add the .gitignore to an existing folder.
        for remove, what in ((os.unlink, path), (os.rmdir, state)):
            with suppress(OSError):
                remove(what)
        raise


def _unusable(state: str, what: str, error: OSError) -> StoreError:
    reason, hint = _reason(state, error)
    return StoreError(f"the folder {state} cannot be {what}: {reason}", hint)


def _reason(state: str, error: OSError) -> tuple[str, str]:
    """Return why a folder cannot be used, and the hint."""
    if not os.path.exists(state) and os.path.islink(state) and not isinstance(error, PermissionError):
        return _of_link(state, error)
    if isinstance(error, FileExistsError):
        return "it is not a folder", _ANOTHER
    if isinstance(error, NotADirectoryError):
        return str(error.strerror), f"{_file_above(state)} is not a folder: {_ANOTHER}"
    return str(error.strerror), hint_for(error) or _ANOTHER


def _of_link(state: str, error: OSError) -> tuple[str, str]:
    try:
        os.stat(state)
    except FileNotFoundError:
        return f"it is a symbolic link to {os.readlink(state)}, which is not there", f"make that folder, or {_ANOTHER}"
    except OSError as loop:
        error = loop
    return str(error.strerror), hint_for(error) or _ANOTHER


def _file_above(path: str) -> str:
    """Return the part of a path that is not a folder."""
    above = os.path.dirname(path)
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    return above
