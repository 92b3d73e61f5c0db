"""Whether the owner of runs is gone: a lock on a file of its own says so, in every container and for every user.

The kernel gives a lock back when its holder ends, however that happens (flock(2)). Pids say nothing across containers, where each
has its own, nor under `hidepid`, where other users see none. Light: an idle tick asks.
"""

import fcntl
import os


def folder(state: str) -> str:
    """Return where the files of owners are."""
    return state + "/owners"


def path_of(state: str, owner: str) -> str:
    """Return the file of an owner."""
    return f"{folder(state)}/{owner.replace('/', '_').replace(':', '+')}"


def is_gone(state: str, owner: str) -> bool:
    """Return whether an owner is gone. One whose file may not be opened is left alone: nobody can tell from here."""
    try:
        descriptor = os.open(path_of(state, owner), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # removed at its end, or of a runner that knew no such files
    except OSError:
        return False
    try:
        # Nobody waits for a shared lock: it is refused only while the owner lives.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
