"""Say what the code of a task will touch, as far as its text shows it. The code is known to be valid Python."""

from __future__ import annotations

import ast
from collections.abc import Iterator

#: Modules that connect to hosts by their names, which takes all of the network.
_NETWORK = frozenset(
    (
        *("aiohttp", "boto3", "botocore", "ftplib", "googleapiclient", "hvac", "http.client", "httpx", "imaplib"),
        *("kubernetes", "ldap3", "minio", "nntplib", "paramiko", "poplib", "requests", "sentry_sdk", "slack_sdk"),
        *("smtplib", "socket", "stripe", "telnetlib", "twilio", "urllib.request", "urllib3", "websockets"),
        "xmlrpc.client",
    )
)
#: Modules that connect to a database, each with the port of its server.
_PORTS = {
    **dict.fromkeys(("asyncpg", "pg8000", "psycopg", "psycopg2"), 5432),
    **dict.fromkeys(("MySQLdb", "aiomysql", "mariadb", "mysql", "pymysql"), 3306),
    **dict.fromkeys(("redis", "valkey"), 6379),
    **dict.fromkeys(("motor", "pymongo"), 27017),
    "cassandra": 9042,
    "oracledb": 1521,
    "pyodbc": 1433,
}
#: Functions and methods that start programs.
_STARTS = frozenset({"system", "popen", "execv", "execvp", "posix_spawn", "posix_spawnp", "spawnv", "spawnvp"})
_CHANGES = frozenset({"write_text", "write_bytes", "mkdir", "unlink", "touch", "rmdir", "rename", "replace"})


def touches(code: str) -> Iterator[str]:
    """Yield what the code touches, as `KIND VALUE`; the kinds are those of a run that learns, without `denied`.

    A path is one that the text has as a whole. A module is what an import statement names.
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (RecursionError, MemoryError):
        return
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _names(node):
                yield f"import {name}"
                yield from _connections(name)
        elif isinstance(node, ast.Call):
            yield from _call(node)


def _names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = node.module or ""
    within = [f"{module}.{alias.name}" for alias in node.names]
    return [module, *(name for name in within if name in _NETWORK)] if node.level == 0 else []


def _connections(name: str) -> Iterator[str]:
    top = name.partition(".")[0]
    if name in _NETWORK or top in _NETWORK:
        yield "network"
    elif top in _PORTS:
        yield f"port {_PORTS[top]}"


def _call(node: ast.Call) -> Iterator[str]:
    called = node.func
    if isinstance(called, ast.Name) and called.id == "open":
        yield from _path(node.args[:1], _writes(node.args[1:2], node))
    elif isinstance(called, ast.Attribute):
        if isinstance(called.value, ast.Name) and called.value.id == "os" and called.attr in _STARTS:
            yield "subprocess"
        elif isinstance(called.value, ast.Call) and _is_path(called.value):
            writes = called.attr in _CHANGES or (called.attr == "open" and _writes(node.args[:1], node))
            yield from _path(called.value.args[:1], writes)


def _is_path(node: ast.Call) -> bool:
    called = node.func
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == "Path"


def _path(arguments: list[ast.expr], writes: bool) -> Iterator[str]:  # noqa: FBT001 - one of two words
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value.startswith("/"):
            yield f"{'write' if writes else 'read'} {argument.value}"


def _writes(arguments: list[ast.expr], node: ast.Call) -> bool:
    """Return whether a mode, given by position or as `mode`, opens a file for writing."""
    modes = [*arguments, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
    return any(letter in text for text in texts for letter in "wax+")
