"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Longer than any condition takes on a busy machine; a test that gets here has failed.
PATIENCE = 100.0
#: Between two looks a small part of the time goes by that has been waited for, and within these bounds: who looks without
#: pause takes the time from what is waited for.
_PART, _SOONEST, _LATEST = 0.03, 0.002, 0.25


def wait_until(happened: Callable[[], object], what: str = "it", patience: float = PATIENCE) -> None:
    """Return as soon as a condition holds; fail where it never does."""
    begin = time.monotonic()
    while not happened():
        waited = time.monotonic() - begin
        assert waited < patience, f"{what} did not happen within {patience:.0f} s"
        time.sleep(min(_LATEST, max(_SOONEST, waited * _PART)))
