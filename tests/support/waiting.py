"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Longer than any condition takes on a busy machine; a test that gets here has failed.
_PATIENCE = 60.0


def wait_until(condition: Callable[[], object], what: str, patience: float = _PATIENCE) -> None:
    """Return as soon as the condition holds; fail where it never does."""
    give_up = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up, f"waited for {what}"
        time.sleep(0.01)
