"""Say what the wall has denied, and which line of the task file grants it."""

from __future__ import annotations

import errno
import linecache
import os
import socket

from runner.execution.sandbox.grant_lines import can_be_read, of_path, of_socket, of_sqlite, of_text
from runner.execution.sandbox.imports import NotGrantedError

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


def explained(error: BaseException, trace: TracebackType | None, granted: Permissions) -> tuple[str | None, bool]:
    """Return the line that may grant what was denied, or None; and whether permissions may be behind the error."""
    try:
        line = missing(error, trace, granted)
    except Exception:  # noqa: BLE001 - an object of a class that the task has defined, in the traceback
        line = None
    return line, line is not None or may_be_denied(error)


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
        return of_text(text, granted)
    return of_sqlite(_functions(trace), granted) if any(word in text for word in _OF_SQLITE) else None


def _of_error(path: object, functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
    has_started = any(name == "_execute_child" for name, _ in functions)  # subprocess.Popen
    if not granted.can_start and (has_started or _is_program(path)):
        return "permissions: subprocess: true"
    if any(values.get("__module__") in _SHARED_MEMORY for _, values in functions):
        return "permissions: write: [/dev/shm]"
    if has_started and isinstance(path, str) and "/" not in path:
        path = _in_path(path)
        return None if path is None else of_path(path, granted)
    if isinstance(path, str):
        return of_path(path, granted)
    return of_socket(functions, granted) if path is None else None


def _in_path(name: str) -> str | None:
    """Return the first file of a name in the folders of PATH that may not be read; None where there is none."""
    paths = (os.path.join(folder, name) for folder in os.environ.get("PATH", "").split(":") if folder)
    return next((path for path in paths if os.path.lexists(path) and not can_be_read(path)), None)


def _is_program(path: object) -> bool:
    return isinstance(path, str) and os.path.isfile(path) and os.access(path, os.X_OK) and can_be_read(path)


def _functions(trace: TracebackType | None) -> list[tuple[str, dict[str, object]]]:
    """Return the functions of a traceback by name, each with its local variables.

    Its module stands there as `__module__`, and the line that it has come to as `__line__`.
    """
    found = []
    while trace is not None:
        frame = trace.tb_frame
        line = linecache.getline(frame.f_code.co_filename, trace.tb_lineno, frame.f_globals)
        own = {"__module__": frame.f_globals.get("__name__"), "__line__": line}
        found.append((frame.f_code.co_name, {**frame.f_locals, **own}))
        trace = trace.tb_next
    return found
