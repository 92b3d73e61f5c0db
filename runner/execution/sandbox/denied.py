"""Say what the wall has denied, and which line of the task file grants it."""

from __future__ import annotations

import errno
import os
import socket

from runner.execution.sandbox.imports import NotGrantedError
from runner.execution.sandbox.shared_paths import is_shared

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from types import TracebackType

    from runner.model.permissions import Permissions


_MOST_CAUSES = 10
#: Modules that use shared memory and semaphores, which are files (shm_overview(7), sem_overview(7)).
_SHARED_MEMORY = frozenset({"multiprocessing.synchronize", "multiprocessing.shared_memory"})


#: What the C library says of EACCES, and SQLite of a file that it may not open or write.
_DENIED = "Permission denied"
_OF_SQLITE = ("unable to open database file", "attempt to write a readonly database")


def missing(error: BaseException, trace: TracebackType | None, granted: Permissions) -> str | None:
    """Return the line that may grant what was denied, as `permissions: KEY: [VALUE]`; None for another error.

    Libraries raise errors of their own: what has caused an error is looked at, too.
    """
    for each, its_trace in _causes(error, trace):
        line = _missing(each, its_trace, granted)
        if line is not None:
            return line
    return None


def may_be_denied(error: BaseException) -> bool:
    """Return whether the text of an error is about permissions, or it is that of a program that was started."""
    texts = [str(each) for each, _ in _causes(error, None)]
    has_started = type(error).__name__ == "CalledProcessError"
    return has_started or any(word in text for text in texts for word in (_DENIED, "not permitted", *_OF_SQLITE))


def _causes(error: BaseException, trace: TracebackType | None) -> list[tuple[BaseException, TracebackType | None]]:
    """Return an error and those that have caused it, each with its traceback."""
    found = [(error, trace)]
    while len(found) < _MOST_CAUSES:
        last = found[-1][0]
        cause = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if cause is None:
            break
        found.append((cause, cause.__traceback__))
    return found


def _missing(error: BaseException, trace: TracebackType | None, granted: Permissions) -> str | None:
    if isinstance(error, NotGrantedError):
        return error.line
    if isinstance(error, socket.gaierror):
        # Names are asked for by UDP, or through a unix socket.
        return None if granted.has_network else "permissions: network: true"
    # The wall's EPERM is for what nothing grants.
    if isinstance(error, OSError) and error.errno == errno.EACCES:
        return _of_error(error.filename, list(_functions(trace)), granted)
    text = str(error)
    if _DENIED in text:
        return _of_text(text, granted)
    return _of_sqlite(_functions(trace), granted) if any(word in text for word in _OF_SQLITE) else None


def _of_text(text: str, granted: Permissions) -> str | None:
    """Return the line for an error of a database's library, whose text names a socket or a port (libpq)."""
    _, is_socket, rest = text.partition('socket "')
    if is_socket:
        return _to_write(rest.partition('"')[0], granted)
    _, _, rest = text.partition(", port ")
    number = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"permissions: network: [{number}]" if number and not granted.has_network else None


def _of_sqlite(functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
    """Return the line for a database that SQLite could not write: the folder, because it makes files beside it."""
    for _, values in reversed(functions):
        itself = values.get("self")
        for value in (*values.values(), getattr(itself, "db", None), getattr(itself, "connection", None)):
            path = _database(value)
            if path is not None and os.path.isdir(os.path.dirname(path)):
                return _to_write(os.path.dirname(path), granted)
    return None


def _database(value: object) -> str | None:
    """Return the absolute path of the database that a value of a function is, or is connected to; None otherwise."""
    kind = type(value).__name__
    if kind == "Connection" and type(value).__module__ == "sqlite3":
        (_, _, path), *_ = value.execute("PRAGMA database_list")  # type: ignore[attr-defined]
        return path or None
    settings = getattr(value, "settings_dict", None)  # of a connection of Django
    name = settings.get("NAME") if isinstance(settings, dict) else value
    if not isinstance(name, str | os.PathLike):
        return None
    path = os.fspath(name)
    path = path.removeprefix("file:").partition("?")[0] if isinstance(path, str) else ""
    is_one = path.startswith("/") and not os.path.isdir(path) and path.endswith((".db", ".sqlite", ".sqlite3"))
    return path if is_one else None


def _of_error(path: object, functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
    has_started = any(name == "_execute_child" for name, _ in functions)  # subprocess.Popen
    if not granted.can_start and (has_started or _is_program(path)):
        return "permissions: subprocess: true"
    if any(values.get("__module__") in _SHARED_MEMORY for _, values in functions):
        return "permissions: write: [/dev/shm]"
    if isinstance(path, str):
        return _of_path(path, granted)
    return _of_socket(functions, granted) if path is None else None


def _is_program(path: object) -> bool:
    return isinstance(path, str) and os.path.isfile(path) and os.access(path, os.X_OK) and _can_be_read(path)


def _of_path(path: str, granted: Permissions) -> str | None:
    """Return the line for a path. What can be read already, or is not there yet, was to be written."""
    path = os.path.abspath(path)
    if not os.path.lexists(path):
        return _to_write(os.path.dirname(path), granted)
    if _can_be_read(path):
        return _to_write(path, granted)
    return None if _is_granted(path, (*granted.read, *granted.write)) else f"permissions: read: [{_named(path)}]"


def _to_write(path: str, granted: Permissions) -> str | None:
    """Return the line that grants to write a path; None where it is granted, and its owner has refused it."""
    return None if _is_granted(path, granted.write) else f"permissions: write: [{_named(path)}]"


def _named(path: str) -> str:
    """Return a path, but no folder of many programs: the task needs one of its own."""
    return "FOLDER" if is_shared(path) else path


def _is_granted(path: str, granted: tuple[str, ...]) -> bool:
    repository = os.environ.get("RUNNER_REPO", "/")
    folders = [os.path.realpath(os.path.join(repository, each)) for each in granted]
    path = os.path.realpath(path)
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


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
    """Return the line for a connection, with the port or the path if a function of the traceback has it."""
    if granted.has_network:
        return None
    for name, values in reversed(functions):
        address = values.get("address")
        path = getattr(values.get("self"), "unix_socket", None)  # of a connection of PyMySQL
        if isinstance(path, str) and path:
            return _to_write(path, granted)
        if values.get("family") == socket.AF_UNIX:
            return "permissions: write: [SOCKET]"
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
