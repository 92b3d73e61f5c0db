"""make(1), as a person starts it."""

from __future__ import annotations

import os

#: What `make test` sets for a make that it starts.
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON"}


def by_a_person() -> dict[str, str]:
    """Return the environment without the variables that a make has for another that it starts."""
    return {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
