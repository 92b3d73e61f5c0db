"""Say what the wall has denied, and which line of the task file grants it."""

from __future__ import annotations

import errno
import os
import socket

from runner.execution.sandbox.imports import NotGrantedError

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from types import TracebackType

    from runner.model.permissions import Permissions


#: Folders that belong to many programs.
_SHARED = frozenset(
    (
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/proc", "/root", "/run"),
        *("/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/local", "/var", "/var/lib", "/var/log", "/var/tmp"),  # noqa: S108
    )
)


#: Modules that use shared memory and semaphores, which are files (shm_overview(7), sem_overview(7)).
_SHARED_MEMORY = frozenset({"multiprocessing.synchronize", "multiprocessing.shared_memory"})


def missing(error: BaseException, trace: TracebackType | None, granted: Permissions) -> str | None:
    """Return the line that may grant what was denied, as `permissions: KEY: [VALUE]`; None for another error."""
    if isinstance(error, NotGrantedError):
        return error.line
    if isinstance(error, socket.gaierror):
        # Names are asked for by UDP, or through a unix socket.
        return None if granted.has_network else "permissions: network: true"
    # The wall's EPERM is for what nothing grants.
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return _of_error(error.filename, list(_functions(trace)), granted)
    return None


def _of_error(path: object, functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
    has_started = any(name == "_execute_child" for name, _ in functions)  # subprocess.Popen
    if not granted.can_start and (has_started or _is_program(path)):
        return "permissions: subprocess: true"
    if any(values.get("__module__") in _SHARED_MEMORY for _, values in functions):
        return "permissions: write: [/dev/shm]"
    if isinstance(path, str):
        return _of_path(path)
    return _of_socket(functions, granted) if path is None else None


def _is_program(path: object) -> bool:
    return isinstance(path, str) and os.path.isfile(path) and os.access(path, os.X_OK) and _can_be_read(path)


def _of_path(path: str) -> str:
    """Return the line for a path. What can be read already, or is not there yet, was to be written."""
    path = os.path.abspath(path)
    key = "write"
    if not os.path.lexists(path):
        path = os.path.dirname(path)
    elif not _can_be_read(path):
        key = "read"
    # Whoever grants a folder of many programs grants too much: the task needs one of its own.
    return f"permissions: {key}: [{'FOLDER' if path in _SHARED or path == os.path.expanduser('~') else path}]"


def _can_be_read(path: str) -> bool:
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _of_socket(functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
    """Return the line for a connection. A port is known where `socket.create_connection` was called."""
    if granted.has_network:
        return None
    for name, values in reversed(functions):
        address = values.get("address")
        if name == "create_connection" and isinstance(address, tuple) and isinstance(address[1], int):
            return f"permissions: network: [{address[1]}]"
    return "permissions: network: [PORT]"


def _functions(trace: TracebackType | None) -> list[tuple[str, dict[str, object]]]:
    """Return the functions of a traceback by name, each with its local variables, and its module as `__module__`."""
    found = []
    while trace is not None:
        frame = trace.tb_frame
        found.append((frame.f_code.co_name, {**frame.f_locals, "__module__": frame.f_globals.get("__name__")}))
        trace = trace.tb_next
    return found
