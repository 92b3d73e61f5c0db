"""Read the environment variables of an application from a file."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # the name is enough for type checkers
if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes. A shorter value cannot be masked: it would match parts of ordinary words.
_SHORTEST_MASKED = 4
#: Digits. A shorter number, such as a port, is no secret.
_SHORTEST_NUMBER = 8
#: Values that are no secrets, and would be masked in most outputs.
_PLAIN = frozenset({"true", "false", "none", "null", "localhost", "127.0.0.1", "::1", "production"})
_QUOTES = ("'", '"')


class EnvFileError(Exception):
    """An `env_file` that cannot be read. The message quotes no line of it."""


def read_env_file(path: str) -> dict[str, str]:
    """Return the variables in a file of `NAME=value` lines, as `.env` files have them.

    A line may begin with `export`, and a value may stand in quotes, which are removed; nothing in it is replaced.
    Empty lines and lines that begin with `#` are skipped. Raises EnvFileError.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = file.read().replace("\r\n", "\n").split("\n")
    except OSError as error:
        raise EnvFileError(f"the env_file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EnvFileError(f"the env_file {path} cannot be read: it is not UTF-8") from None
    pairs = (_pair(path, number, line.strip()) for number, line in enumerate(lines, 1))
    return dict(pair for pair in pairs if pair is not None)


def _pair(path: str, number: int, line: str) -> tuple[str, str] | None:
    if not line or line.startswith("#"):
        return None
    name, equals, value = line.removeprefix("export ").partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not name.isidentifier() or "\0" in value:
        raise EnvFileError(f"line {number} of the env_file {path} is not NAME=value")
    if value[:1] in _QUOTES:
        end = value.find(value[0], 1)
        if end < 0:
            raise EnvFileError(f"line {number} of the env_file {path} has a quote that does not end")
        if value[end + 1 :].lstrip()[:1] not in {"", "#"}:
            raise EnvFileError(f"line {number} of the env_file {path} goes on after a value in quotes")
        return name, value[1:end]
    return name, value.partition(" #")[0].rstrip()


def masked_values(values: Iterable[str]) -> list[str]:
    """Return the values to mask: all but short ones, short numbers, paths of folders and a few plain words."""
    return [value for value in values if not _is_plain(value)]


def _is_plain(value: str) -> bool:
    is_short = len(value.encode("utf-8", "surrogateescape")) < _SHORTEST_MASKED
    is_number = value.isdigit() and len(value) < _SHORTEST_NUMBER
    return is_short or is_number or value.lower() in _PLAIN or os.path.isdir(value)
