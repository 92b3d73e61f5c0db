"""Where the environments of tasks are whose code names packages (PEP 723): below the state folder."""

from __future__ import annotations

import os
import sys

from runner.model.environment import environment_name

#: The version of Python that an environment has: that of runner.
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def is_built(state: str, dependencies: tuple[str, ...]) -> bool:
    """Return whether the environment with these packages is complete."""
    return os.path.exists(f"{folder_of(state, environment_name(dependencies))}/ready")


def folder_of(state: str, name: str) -> str:
    """Return the folder of the environment of this name."""
    return f"{state}/environments/{name}-{VERSION}"
