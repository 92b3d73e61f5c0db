"""Build the permissions of a task, and say what it has beyond a bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.model.permissions import UNDECLARED, Permissions


def build_permissions(value: Mapping[str, Any] | None) -> Permissions:
    """Return the permissions of the mapping `permissions` in a file; undeclared ones for None."""
    if value is None:
        return UNDECLARED
    network = value.get("network", False)
    return Permissions(
        is_declared=True,
        imports=tuple(value.get("imports", ())),
        has_network=network is True,
        ports=tuple(map(int, network)) if isinstance(network, list | tuple) else (),
        read=tuple(value.get("read", ())),
        write=tuple(value.get("write", ())),
        can_start=bool(value.get("subprocess", False)),
    )


def added(one: Permissions, other: Permissions) -> Permissions:
    """Return what both grant together; undeclared permissions where neither is declared."""
    return Permissions(
        is_declared=one.is_declared or other.is_declared,
        imports=_union(one.imports, other.imports),
        has_network=one.has_network or other.has_network,
        ports=tuple(sorted({*one.ports, *other.ports})),
        read=_union(one.read, other.read),
        write=_union(one.write, other.write),
        can_start=one.can_start or other.can_start,
    )


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def beyond(asked: Permissions, most: Permissions) -> Iterator[tuple[str, str]]:
    """Yield each key of `permissions` that asks for more than `most` grants, with what it asks for."""
    for name in asked.imports:
        if not any(name == module or name.startswith(f"{module}.") for module in most.imports):
            yield "imports", name
    if asked.has_network and not most.has_network:
        yield "network", "true"
    yield from (("network", str(port)) for port in asked.ports if not (most.has_network or port in most.ports))
    yield from (("read", path) for path in asked.read if not _is_within(path, (*most.read, *most.write)))
    yield from (("write", path) for path in asked.write if not _is_within(path, most.write))
    if asked.can_start and not most.can_start:
        yield "subprocess", "true"


def _is_within(path: str, folders: tuple[str, ...]) -> bool:
    plain = path.rstrip("/")
    return any(plain == folder.rstrip("/") or plain.startswith(f"{folder.rstrip('/')}/") for folder in folders)
