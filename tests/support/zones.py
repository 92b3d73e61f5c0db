"""An invented time zone with two sets of rules, to simulate an update of the system's zones at any time."""

from __future__ import annotations

import zoneinfo
from pathlib import Path
from struct import pack

#: The name of the zone; each set of rules has one fixed offset.
NAME = "Made/Up"
_OFFSETS = {"before": 2 * 3600, "after": 2 * 3600 + 1800}


def two_sets_of_rules(folder: Path) -> list[str]:
    """Create two folders with the zone; return a PYTHONTZPATH for each, with all other zones of the system."""
    return [_rules(folder / name, offset) for name, offset in _OFFSETS.items()]


def _rules(folder: Path, offset: int) -> str:
    path = folder / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(_tzif(offset))
    return ":".join((str(folder), *zoneinfo.TZPATH))


def _tzif(offset: int) -> bytes:
    """Return a file of rules with one offset and no change (tzfile(5)); versions 1 and 2 are equal."""
    name = b"MADE\0"
    counts = pack(">6l", 0, 0, 0, 0, 1, len(name))
    block = counts + pack(">lbb", offset, 0, 0) + name
    posix = f"<MADE>-{offset // 3600:02}:{offset % 3600 // 60:02}".encode()
    header = b"TZif2" + bytes(15)
    return header + block + header + block + b"\n" + posix + b"\n"
