"""Become the user that `run_as` of a task names."""

from __future__ import annotations

import os
import pwd

from runner.execution.system import processes


def become(name: str, folders: tuple[str, ...], root: str, parent: int) -> dict[str, str]:
    """Become a user of this machine, who gets the folders of the run; return the variables that name the user.

    `root` is the folder with the files of the run's commit, `parent` the process that started this one. Raises
    LookupError for an unknown user, PermissionError where this process cannot be that user.
    """
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise LookupError(f"there is no user `{name}` on this machine, which `run_as` names") from None
    if entry.pw_uid != os.geteuid():
        if os.geteuid() != 0:
            mine = pwd.getpwuid(os.geteuid()).pw_name
            raise PermissionError(f"only root can run a task as another user: `run_as` names {name}, this is {mine}")
        for folder in folders:
            give(folder, entry.pw_uid, entry.pw_gid)
        os.initgroups(name, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        processes.restore_after_change_of_user(parent)
    for folder in (*folders, root):
        if not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(f"the user {name} may not enter {folder}: give others the right `x` on its folders")
    return {"HOME": entry.pw_dir, "USER": name, "LOGNAME": name, "SHELL": entry.pw_shell}


def give(folder: str, user: int, group: int) -> None:
    """Make a user the owner of a folder and of all that is in it, unless the folder is that user's already.

    Files with other names elsewhere (hard links) stay what they are: they may be files of somebody else.
    """
    if os.lstat(folder).st_uid == user:
        return
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            found = os.lstat(f"{path}/{name}")
            if found.st_nlink == 1 or name in folders:
                os.chown(f"{path}/{name}", user, group, follow_symlinks=False)
    os.chown(folder, user, group, follow_symlinks=False)
