"""A peer: one new interpreter for each of a thousand one-line tasks, two at a time. Nothing is recorded."""

import os
import sys

_WORDS = [sys.executable, "-I", "-S", "-c", "x = 1"]
_AT_ONCE = 2


def main() -> None:
    """Start the next interpreter as soon as one has ended."""
    running = 0
    for _ in range(1000):
        if running == _AT_ONCE:
            _wait_for_one()
            running -= 1
        os.posix_spawn(_WORDS[0], _WORDS, os.environ)
        running += 1
    for _ in range(running):
        _wait_for_one()


def _wait_for_one() -> None:
    _, status = os.wait()
    if status:
        sys.exit(f"a task ended with {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
