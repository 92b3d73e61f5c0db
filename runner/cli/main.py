"""Where the command begins, and where every error ends.

Loaded by every tick: what only other commands need, or only errors, is imported when it is met (DESIGN §9, start-up).
"""

import os
import sys

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> None:
    """Run the command of sys.argv and exit with its code (DESIGN §8)."""
    try:
        code = _run(sys.argv[1:])
        if sys.stdout is not None:  # None where the caller has closed it
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error ends here
        from runner.cli.failure import explain  # noqa: PLC0415 - see above

        code = explain(error)
    sys.exit(code)


def _run(words: list[str]) -> int:
    if words == ["tick"]:
        _bare_tick()
    from runner.cli.app import run  # noqa: PLC0415 - typer takes longer to load than a tick takes

    return run(words)


def _bare_tick() -> "NoReturn":
    """Run the command that cron runs, past typer, and past everything else where nothing is due."""
    from runner.cli.place import find_root, state_of  # noqa: PLC0415 - see above
    from runner.operations.idle import idle_line  # noqa: PLC0415

    root = find_root(None)
    state = state_of(root, None)
    line = idle_line(root, state)
    code = 0
    if line is not None:
        print(line)
    else:
        from runner.cli.ticking import run_tick  # noqa: PLC0415 - only a tick with something to do
        from runner.operations.site import Site  # noqa: PLC0415

        code = run_tick(Site(root, state))
    if sys.stdout is not None:  # None where the caller has closed it
        sys.stdout.flush()
    # Nothing is open and nobody waits: for the interpreter to tidy up takes a seventh of an idle tick.
    os._exit(code)
