# mypy: ignore-errors
# Django is not a dependency of runner: this runs in the environment of the peers (benchmarks/peer_environment.py).
"""A floor: set Django up once, and fork for each of many tasks, two at a time. Nothing else is isolated or recorded.

`bare_django_forks.py COUNT CODE`
"""

import os
import sys

_AT_ONCE = 2


def main(count: int, code: str) -> None:
    """Run the code in so many children, after one run in this process."""
    import django  # noqa: PLC0415 - its start is measured

    django.setup()
    from django.db import connections  # noqa: PLC0415 - as above
    from scheduled.models import Task  # noqa: PLC0415 - as above

    program = compile(code, "task", "exec")
    exec(program, {"Task": Task})
    connections.close_all()
    running = 0
    for _ in range(count):
        if running == _AT_ONCE:
            os.wait()
            running -= 1
        if os.fork() == 0:
            exec(program, {"Task": Task})
            os._exit(0)
        running += 1
    for _ in range(running):
        os.wait()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    main(int(sys.argv[1]), sys.argv[2])
