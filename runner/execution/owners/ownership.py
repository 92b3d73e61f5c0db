"""Whether the owner of runs is gone. The lock on its file shows that, in every container and for every user.

The kernel releases a lock when the holder ends, however it ends (flock(2)). Pids cannot show it: each container has
pids of its own, and with `hidepid` a user sees no process of another user. An idle tick loads this module, so it
imports little.
"""

import fcntl
import os

# The module `signal` adds enums around these, which take time to load; the idle path does not need them.
from _signal import SIG_DFL, SIG_IGN, getsignal  # type: ignore[import-not-found]
from _signal import SIGUSR1 as NEWS
from _signal import signal as set_handler

from runner.execution.owners.process_identity import UNKNOWN, boot_id, identity, pid_namespace

#: Prefix of the file name while the file is not locked yet.
HIDDEN = "."


def folder(state: str) -> str:
    """Return the folder of the owner files."""
    return state + "/owners"


def path_of(state: str, owner: str) -> str:
    """Return the path of an owner file."""
    return f"{folder(state)}/{owner.replace('/', '_').replace(':', '+')}"


def short(owner: str) -> str:
    """Return the unique part of an owner's name, which can be part of a folder name."""
    return owner.rpartition(":")[2]


def become_owner(state: str) -> tuple[str, int]:
    """Make and lock an owner file for this process; return the owner's name and the descriptor. Raises StoreError.

    A process that this one forks holds the same lock, so the file is unlocked only when both are gone.
    """
    try:
        return _become_owner(state)
    except OSError as error:
        from runner.errors import StoreError  # noqa: PLC0415 - an idle tick loads this module, and not this one

        hint = "check its permissions, and the disk"
        raise StoreError(f"the folder {state} cannot be written: {error.strerror}", hint) from error


def _become_owner(state: str) -> tuple[str, int]:
    if getsignal(NEWS) == SIG_DFL:
        # A process that reads the file may send NEWS; the default action would end this process before it has a
        # handler.
        set_handler(NEWS, SIG_IGN)
    # The store keeps the name even if a crash loses the file; so the name holds boot id and pid, too.
    name = f"{boot_id()}:{os.getpid()}:{os.urandom(8).hex()}"
    try:
        os.mkdir(folder(state))
    except FileExistsError:
        pass
    path = path_of(state, name)
    while True:
        # The file is locked before it gets its name, because others regard the owner of an unlocked file as gone.
        hidden = f"{folder(state)}/{HIDDEN}{os.path.basename(path)}"
        descriptor = _locked_file(hidden)
        try:
            os.rename(hidden, path)
        except FileNotFoundError:
            # Another process removed the file before it was locked, as a file that a killed process had left.
            os.close(descriptor)
            os.stat(folder(state))  # raises FileNotFoundError where the folder was removed
            continue
        return name, descriptor


def _locked_file(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, f"{identity(os.getpid()) or f'{UNKNOWN}:{os.getpid()}:0'} {pid_namespace()}\n".encode())
    return descriptor


def is_gone(state: str, owner: str) -> bool:
    """Return whether an owner is gone. Return False where its file cannot be opened: then this process cannot know."""
    try:
        descriptor = os.open(path_of(state, owner), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # the owner removed it at its end, or is an early version of runner, which made no such file
    except OSError:
        return False
    try:
        # A shared lock, so that two processes that look at once do not block each other: only the owner's lock refuses
        # it.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
