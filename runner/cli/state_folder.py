"""The folder of the state: made when it is first needed, and kept out of git."""

from __future__ import annotations

import os

from runner.errors import StoreError
from runner.operations.site import Site


def prepare_state(site: Site) -> None:
    """Make the folder of the state, with a .gitignore in it, where it is missing. Raises StoreError."""
    if os.path.isdir(site.state):
        return
    try:
        os.makedirs(site.state)
        with open(f"{site.state}/.gitignore", "w", encoding="utf-8") as file:
            file.write("# what runner remembers; not for git\n*\n")
    except OSError as error:
        raise StoreError(
            f"the folder {site.state} cannot be made: {error.strerror}", "give another one with --state DIR"
        ) from error
