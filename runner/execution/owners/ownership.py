"""Whether the owner of runs is gone: a lock on a file of its own says so, in every container and for every user.

The kernel gives a lock back when its holder ends, however that happens (flock(2)). Pids say nothing across containers, where each
has its own, nor under `hidepid`, where other users see none. Light: an idle tick asks.
"""

import fcntl
import os

# What `signal` does around these, for names of signals, is loaded while others load.
from _signal import SIG_DFL, SIG_IGN, getsignal  # type: ignore[import-not-found]
from _signal import SIGUSR1 as NEWS
from _signal import signal as set_handler

from runner.execution.owners.process_identity import UNKNOWN, boot_id, identity, pid_namespace

#: What the names of files begin with that are not locked yet.
HIDDEN = "."


def folder(state: str) -> str:
    """Return where the files of owners are."""
    return state + "/owners"


def path_of(state: str, owner: str) -> str:
    """Return the file of an owner."""
    return f"{folder(state)}/{owner.replace('/', '_').replace(':', '+')}"


def short(owner: str) -> str:
    """Return what tells an owner from all others, and can stand in the name of a folder."""
    return owner.rpartition(":")[2]


def become_owner(state: str) -> tuple[str, int]:
    """Make a file for this process, lock it, and say in it who this is; return its name and its descriptor. Raises StoreError.

    A process that is forked holds the lock with it, until both are gone.
    """
    try:
        return _become_owner(state)
    except OSError as error:
        from runner.errors import StoreError  # noqa: PLC0415 - an idle tick asks this module and meets no error

        hint = "check its permissions, and the disk"
        raise StoreError(f"the folder {state} cannot be written: {error.strerror}", hint) from error


def _become_owner(state: str) -> tuple[str, int]:
    if getsignal(NEWS) == SIG_DFL:
        set_handler(NEWS, SIG_IGN)  # else who reads the file, and wakes this process, would end it before it listens
    # Durable in the store where the file may not be: boot id and pid stand in the name, too.
    name = f"{boot_id()}:{os.getpid()}:{os.urandom(8).hex()}"
    try:
        os.mkdir(folder(state))
    except FileExistsError:
        pass
    path = path_of(state, name)
    while True:
        # Locked before it has its name: who finds it unlocked takes its owner for gone.
        hidden = f"{folder(state)}/{HIDDEN}{os.path.basename(path)}"
        descriptor = _locked_file(hidden)
        try:
            os.rename(hidden, path)
        except FileNotFoundError:
            os.close(descriptor)  # tidied up in the moment before it was locked, as what a killed process had left
            os.stat(folder(state))  # unless there is no folder any more
            continue
        return name, descriptor


def _locked_file(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, f"{identity(os.getpid()) or f'{UNKNOWN}:{os.getpid()}:0'} {pid_namespace()}\n".encode())
    return descriptor


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
