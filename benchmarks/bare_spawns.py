"""A peer: one new interpreter for each of many one-line tasks, two at a time. Nothing is recorded.

`bare_spawns.py COUNT PROGRAM ARGUMENT …`
"""

import os
import sys

_AT_ONCE = 2


def main(count: int, words: list[str]) -> None:
    """Start the next interpreter as soon as one has ended."""
    running = 0
    for _ in range(count):
        if running == _AT_ONCE:
            _wait_for_one()
            running -= 1
        os.posix_spawn(words[0], words, os.environ)
        running += 1
    for _ in range(running):
        _wait_for_one()


def _wait_for_one() -> None:
    _, status = os.wait()
    if status:
        sys.exit(f"a task ended with {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
