"""Commands that are subject to file permissions, also if the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

_CAPABILITIES = "-dac_override,-dac_read_search"


def without_rights() -> list[str]:
    """Return the words before a command that make file permissions apply to root, too; skip the test if none do."""
    if os.geteuid() != 0:
        return []
    words = [str(shutil.which("setpriv")), f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}"]
    is_possible = (
        words[0] != "None" and subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
    )
    if not is_possible:
        pytest.skip("root cannot drop its capabilities here")
    return words
