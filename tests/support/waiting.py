"""Wait for a condition, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds; longer than any condition takes on a busy machine. A test that waits longer has failed.
PATIENCE = 100.0
#: The pause between two checks is this part of the time waited so far, within these bounds in seconds. Checks without
#: a pause would take CPU time from the process that the test waits for.
_PART, _SHORTEST, _LONGEST = 0.03, 0.002, 0.25


def wait_until(happened: Callable[[], object], what: str = "it", patience: float = PATIENCE) -> None:
    """Return as soon as a condition is true. Raises AssertionError if it is not true within `patience` seconds."""
    begin = time.monotonic()
    while not happened():
        waited = time.monotonic() - begin
        assert waited < patience, f"{what} did not happen within {patience:.0f} s"
        time.sleep(min(_LONGEST, max(_SHORTEST, waited * _PART)))
