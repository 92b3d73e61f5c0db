"""Find the files that hold the rules of time zones, as `zoneinfo` does (PEP 615, "Sources for time zone data")."""

from __future__ import annotations

import os
import zoneinfo
from collections.abc import Iterable


def zone_paths(names: Iterable[str]) -> list[str]:
    """Return the sorted paths of the files of these zones. UTC has no file because it has no rules."""
    found = {path for name in names if name not in {"UTC", "Etc/UTC"} and (path := _path_of(name)) is not None}
    return sorted(found)


def _path_of(name: str) -> str | None:
    for folder in zoneinfo.TZPATH:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    # Imported late: only a machine without a zone database needs the package.
    from importlib.util import find_spec  # noqa: PLC0415

    package = find_spec("tzdata")
    folders = [] if package is None else list(package.submodule_search_locations or ())
    paths = [os.path.join(folder, "zoneinfo", *name.split("/")) for folder in folders]
    return next((path for path in paths if os.path.isfile(path)), None)
