"""Commands as a user for whom file permissions count, also where the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

_RIGHTS = "-dac_override,-dac_read_search"


def without_rights() -> list[str]:
    """Return what a command starts with so that file permissions count for root, too."""
    if os.geteuid() != 0:
        return []
    words = [str(shutil.which("setpriv")), f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"]
    can = words[0] != "None" and subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    if not can:
        pytest.skip("root cannot give up its rights here")
    return words
