"""The line of a task file that grants a path, a database or a connection, as `permissions: KEY: [VALUE]`."""

from __future__ import annotations

import os
import socket

from runner.execution.sandbox.shared_paths import is_shared
from runner.model.permissions import is_within

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from runner.model.permissions import Permissions

_TYPE = 0xF  # the bits of a socket's type that say which it is


def of_path(path: str, granted: Permissions) -> str | None:
    """Return the line for a path. What can be read already, or is not there yet, was to be written."""
    path = os.path.abspath(path)
    if not os.path.lexists(path):
        return _to_write(os.path.dirname(path), granted)
    if can_be_read(path):
        return _to_write(path, granted)
    return None if _is_granted(path, (*granted.read, *granted.write)) else f"permissions: read: [{_named(path)}]"


def of_text(text: str, granted: Permissions) -> str | None:
    """Return the line for an error of a database's library, whose text names a socket or a port (libpq)."""
    _, is_socket, rest = text.partition('socket "')
    if is_socket:
        return _to_write(rest.partition('"')[0], granted)
    _, _, rest = text.partition(", port ")
    number = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"permissions: network: [{number}]" if number and not granted.has_network else None


def of_sqlite(functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
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


def of_socket(functions: list[tuple[str, dict[str, object]]], granted: Permissions) -> str | None:
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
        if name == "create_server" or _is_beyond_ports(values):
            return "permissions: network: true"
        port = values.get("port") if "host" in values else None
        if name == "create_connection" and isinstance(address, tuple):
            port = address[1]
        if isinstance(port, int) and port:
            return f"permissions: network: [{port}]"
    return "permissions: network: [PORT]"


def _is_beyond_ports(values: dict[str, object]) -> bool:
    """Return whether a function makes a socket that is not for TCP, or its present line does what no port grants."""
    kind = values.get("type")
    if "family" in values and isinstance(kind, int) and kind & _TYPE not in {socket.SOCK_STREAM, -1 & _TYPE}:
        return True
    return any(f".{word}(" in str(values.get("__line__")) for word in ("bind", "listen", "sendto", "sendmsg"))


def _to_write(path: str, granted: Permissions) -> str | None:
    """Return the line that grants to write a path; None where it is granted, and its owner has refused it."""
    return None if _is_granted(path, granted.write) else f"permissions: write: [{_named(path)}]"


def _named(path: str) -> str:
    """Return a path, but no folder of many programs: the task needs one of its own."""
    return "FOLDER" if is_shared(path) else path


def _is_granted(path: str, granted: tuple[str, ...]) -> bool:
    repository = os.environ.get("RUNNER_REPO", "/")
    folders = [os.path.realpath(os.path.join(repository, each)) for each in granted]
    return any(is_within(os.path.realpath(path), folder) for folder in folders)


def can_be_read(path: str) -> bool:
    """Return whether this process may read a file, or list a folder."""
    try:
        if os.path.isdir(path):
            os.listdir(path)
        else:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
