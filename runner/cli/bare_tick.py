"""A tick with something to do, past typer: what cron runs.

What decides is loaded in a process of its own, so that the one that forks the children stays small (DESIGN §10).
"""

from __future__ import annotations

import os

from runner import clock
from runner.errors import RunnerError
from runner.execution.apart import apart
from runner.operations.decided import Decided
from runner.operations.site import Site

_IDLE, _DECIDED = "idle", "decided"


def run_tick(root: str, state: str) -> int:
    """Run what is due, print what was done, and return the exit code. Raises RunnerError."""
    site = Site(root, state)
    code, said = apart(lambda descriptor: _decide(site, descriptor))
    if code < 0:
        raise RunnerError(f"the process that decides what is due was killed by signal {-code}", "the next tick goes on")
    kind, _, text = said.partition("\n")
    if kind == _DECIDED:
        text = _run(site, Decided.decode(text))
    if text:
        print(text)
    return code


def _decide(site: Site, descriptor: int) -> int:
    """Decide what is due, in a process of its own; say what was decided, or the line of a tick that has nothing to do."""
    from runner import wiring  # noqa: PLC0415 - see above
    from runner.cli.failure import explain  # noqa: PLC0415
    from runner.cli.state_folder import prepare_state  # noqa: PLC0415
    from runner.operations.idle import idle_line  # noqa: PLC0415

    try:
        prepare_state(site)
        wiring.bring_up_to_date(site, clock.now())
        line = idle_line(site.root, site.database)
        if line is not None:
            os.write(descriptor, f"{_IDLE}\n{line}".encode())
            return 0
        # Only a tick that has something to run loads what decides about it.
        from runner.operations.tick import decide  # noqa: PLC0415

        decided = decide(site, wiring.refresher(site), clock.now())
        with open(descriptor, "w", encoding="utf-8") as said:
            said.write(f"{_DECIDED}\n{decided.encode()}")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is explained where it is met
        return explain(error)
    return 0


def _run(site: Site, decided: Decided) -> str:
    from runner.operations.fetch import Fetching  # noqa: PLC0415 - only a tick that decided something
    from runner.operations.supervise import Supervisor  # noqa: PLC0415

    now = clock.now()
    with Fetching(site, now):
        taken = Supervisor(site, now).run_waiting()
    from runner.operations.tick import report  # noqa: PLC0415 - nothing is forked any more
    from runner.report.tick_text import tick_lines  # noqa: PLC0415

    return "\n".join(tick_lines(report(site, decided, taken), clock.now()))
