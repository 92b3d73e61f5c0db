"""Secrets of tasks: from a file outside the repository, from systemd's credentials, or from runner's environment."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: systemd sets this variable for services with LoadCredential= (systemd.exec(5)).
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
#: Bytes. A shorter secret cannot be masked: it would match parts of ordinary words.
SHORTEST = 4


class SecretError(Exception):
    """A secret that cannot be read or used. The message names the secret and the cause, and never its value."""


def find_secrets(names: Iterable[str], file: str | None, environment: Mapping[str, str], root: str) -> dict[str, str]:
    """Return the values of secrets. Raises SecretError for a secret that is missing, empty, or too short to be masked.

    `file` is the secrets file, if there is one. `root` is the repository, which must not contain it.
    """
    required = list(names)
    if not required:
        return {}
    listed = read_file(file, root) if file else {}
    found = {}
    for name in required:
        value = listed.get(name) or _credential(name, environment) or environment.get(name)
        if not value:
            raise SecretError(f"the secret {name} is not set: {_where(file)}")
        if len(value.encode("utf-8", "surrogateescape")) < SHORTEST:
            raise SecretError(
                f"the secret {name} has fewer than {SHORTEST} bytes: it could not be masked in the output"
            )
        found[name] = value
    return found


def _where(file: str | None) -> str:
    if file:
        return f"add it to {file}"
    return "name a file in runner.yaml (secrets_file), or set it in the environment of runner"


def is_inside(path: str, root: str) -> bool:
    """Return whether a secrets file is in the repository, where somebody could commit it."""
    return os.path.realpath(os.path.expanduser(path)).startswith(os.path.realpath(root) + os.sep)


def read_file(path: str, root: str) -> dict[str, str]:
    """Return the secrets in a file of lines `NAME=value`; no quotes or escapes are interpreted.

    Raises SecretError, whose message quotes no line of the file.
    """
    if is_inside(path, root):
        raise SecretError(f"the secrets file {path} is in the repository: move it out of the repository")
    path = os.path.expanduser(path)
    try:
        # O_NONBLOCK, because to open a FIFO would block the tick.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _check_mode(path, os.fstat(descriptor))
            with open(descriptor, encoding="utf-8", closefd=False) as file:
                text = file.read()
        finally:
            os.close(descriptor)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise SecretError(f"the secrets file {path} cannot be read: {reason}") from None
    found = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip().isidentifier():
            raise SecretError(f"line {number} of the secrets file {path} is not NAME=value")
        found[name.strip()] = value
    return found


def _check_mode(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SecretError(f"the secrets file {path} is not a file")
    if status.st_mode & 0o077:
        from shlex import quote  # noqa: PLC0415 - only for this message

        raise SecretError(f"the secrets file {path} may be read by others: chmod 600 {quote(path)}")
    if status.st_uid not in {os.geteuid(), 0}:
        raise SecretError(f"the secrets file {path} belongs to another user (uid {status.st_uid})")


def _credential(name: str, environment: Mapping[str, str]) -> str | None:
    folder = environment.get(_CREDENTIALS)
    if not folder:
        return None
    try:
        with open(f"{folder}/{name}", encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise SecretError(f"the credential {name} in {folder} cannot be read") from None
