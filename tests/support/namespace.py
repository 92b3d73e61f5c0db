"""Commands in a separate mount namespace: full disks, read-only folders, a private /etc. Needs root and unshare(1)."""

from __future__ import annotations

import os
import shutil

import pytest

#: In CI these tests must run if the user is root; otherwise they are skipped with a reason.
needs_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or (not os.environ.get("CI") and shutil.which("unshare") is None),
    reason="needs root and unshare(1) for a mount namespace",
)


def with_mounts(mounts: str, *command: str) -> list[str]:
    """Return a command that runs after the shell commands `mounts`, whose mounts other processes cannot see."""
    return ["unshare", "--mount", "sh", "-e", "-c", f'{mounts}\nexec "$@"', "sh", *command]
