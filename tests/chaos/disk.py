"""The disk of the state: full for a while, or not to be written.

Needs a mount namespace of our own, or a user who is not root.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: Set in the process that has a mount namespace of its own.
_INSIDE = "CHAOS_INSIDE"
_LARGE = "size=512m"
_SLACK = (0, 4, 16, 40, 120)  # KiB that are still free on a full disk: another write fails each time


def enter_namespace(words: list[str]) -> None:
    """Go on as the same command in a mount namespace of its own, where that is allowed."""
    if os.environ.get(_INSIDE) or os.geteuid() != 0 or shutil.which("unshare") is None:
        return
    unshare = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode == 0:
        command = [*unshare, sys.executable, "-m", "tests.chaos", *words]
        os.execvpe("unshare", command, {**os.environ, _INSIDE: "1"})  # noqa: S606 - no shell is wanted


@dataclass
class Disk:
    """The state folder; a file system of its own where it can be."""

    state: Path
    is_mounted: bool = False
    is_well: bool = True

    @classmethod
    def under(cls, state: Path) -> Disk:
        """Make the state folder."""
        state.mkdir()
        made = cls(state)
        made.is_mounted = bool(os.environ.get(_INSIDE)) and made._mount("-t", "tmpfs", "-o", _LARGE, "chaos")
        return made

    def fill(self, dice: random.Random) -> str | None:
        """Leave next to no room; return what was done, None where that cannot be."""
        if not self.is_mounted:
            return None
        at = os.statvfs(self.state)
        used = (at.f_blocks - at.f_bfree) * at.f_frsize // 1024
        slack = dice.choice(_SLACK)
        self.is_well = not self._mount("-o", f"remount,size={used + slack}k")
        return None if self.is_well else f"disk full: {slack} KiB are left"

    def protect(self) -> str | None:
        """Make it read-only; return what was done, None where that cannot be just now."""
        if self.is_mounted:
            self.is_well = not self._mount("-o", "remount,ro")
        elif os.geteuid() != 0:
            self.state.chmod(0o500)
            self.is_well = False
        return None if self.is_well else "disk read-only"

    def mend(self) -> None:
        """Make it large and writable again."""
        if self.is_mounted:
            assert self._mount("-o", f"remount,rw,{_LARGE}")
        else:
            self.state.chmod(0o700)
        self.is_well = True

    def leave(self) -> None:
        """Let go of a file system of its own."""
        if self.is_mounted:
            subprocess.run(["umount", self.state], check=True)

    def _mount(self, *words: str) -> bool:
        return subprocess.run(["mount", *words, self.state], check=False, capture_output=True).returncode == 0
