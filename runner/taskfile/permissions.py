"""Build the permissions of a task, and say what it has beyond a bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.model.permissions import ALL, EVERYTHING, NOTHING, Permissions, is_within
from runner.taskfile.document import Document, Path
from runner.taskfile.findings import Finding

#: What a line says where nobody knows which port, folder or socket is meant.
_UNKNOWN = ("PORT", "FOLDER", "SOCKET")
_ALL_BEYOND = "`all` is more than `permissions.most` allows"


def build_permissions(value: Mapping[str, Any] | str | None) -> Permissions:
    """Return the permissions of `permissions` in a file: everything for `all`, nothing for None."""
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return EVERYTHING
    network = value.get("network", False)
    return Permissions(
        is_held=True,
        imports=tuple(value.get("imports", ())),
        has_network=network is True,
        ports=tuple(map(int, network)) if isinstance(network, list | tuple) else (),
        read=tuple(value.get("read", ())),
        write=tuple(value.get("write", ())),
        can_start=bool(value.get("subprocess", False)),
    )


def check_permissions(document: Document, bad: set[Path]) -> Iterator[Finding]:
    """Yield findings about what `runner.yaml` grants to tasks beyond its own bound. `bad` are paths with a finding."""
    places: list[Path] = [("permissions", "default")]
    places += [("contexts", name, "permissions") for name in _value_at(document.value, ("contexts",)) or ()]
    bound: Path = ("permissions", "most")
    if any(path[:1] in {("permissions",), ("contexts",)} for path in bad) or _value_at(document.value, bound) is None:
        return
    most = build_permissions(_value_at(document.value, bound))
    for place in places:
        value = _value_at(document.value, place)
        for key, asked in () if value is None else beyond(build_permissions(value), most):
            message = f"`{key}: {asked}` is more than `permissions.most` allows" if key else _ALL_BEYOND
            path = (*place, key) if key else place
            yield document.finding(path, "permissions", message, "leave it out, or widen that bound")


def _value_at(value: Any, path: Path) -> Any:
    """Return the value at a path of mappings; None where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def added(one: Permissions, other: Permissions) -> Permissions:
    """Return what both grant together."""
    if not (one.is_held and other.is_held):
        return EVERYTHING
    return Permissions(
        is_held=True,
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
    if not most.is_held:
        return
    if not asked.is_held:
        yield "", ALL
    for name in asked.imports:
        if not any(name == module or name.startswith(f"{module}.") for module in most.imports):
            yield "imports", name
    if asked.has_network and not most.has_network:
        yield "network", "true"
    yield from (("network", str(port)) for port in asked.ports if not most.may_connect(port))
    yield from (("read", path) for path in asked.read if not _is_within(path, (*most.read, *most.write)))
    yield from (("write", path) for path in asked.write if not _is_within(path, most.write))
    if asked.can_start and not most.can_start:
        yield "subprocess", "true"


def grants(granted: Permissions, line: str) -> bool:
    """Return whether permissions grant what a line such as `permissions: read: [/srv/in]` does."""
    _, key, value = [*line.split(": ", 2), "", ""][:3]
    words = value.removeprefix("[").removesuffix("]")
    if key == "network" and words.isdecimal():
        asked: dict[str, Any] = {key: [int(words)]}
    else:
        asked = {key: True if words == "true" else [words]}
    return not any(beyond(build_permissions(asked), granted)) and words not in _UNKNOWN


def _is_within(path: str, folders: tuple[str, ...]) -> bool:
    return any(is_within(path, folder) for folder in folders)
