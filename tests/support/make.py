"""The environment of make(1) when a person starts it."""

from __future__ import annotations

import os

#: The variables that `make test` sets for a make that it starts.
_MAKE_VARIABLES = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"}


def by_a_person() -> dict[str, str]:
    """Return the environment without the variables that make sets for a make that it starts."""
    return {name: value for name, value in os.environ.items() if name not in _MAKE_VARIABLES}
