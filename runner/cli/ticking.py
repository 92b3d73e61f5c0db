"""A tick with something to do, for every way to ask for one: cron's bare `runner tick`, its options, later a daemon.

This process forks the children; it becomes the hands of a brain that decides, records and reports (`execution/hands.py`).
"""

from __future__ import annotations

import sys

from runner.cli import streams
from runner.cli.state_folder import prepare_state
from runner.errors import RunnerError, StoreError
from runner.execution.hands import with_brain
from runner.execution.owner import Owner
from runner.operations.site import Site

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.execution.wire import Receiver, Sender
    from runner.operations.tick import Request, TickReport

    Show = Callable[[TickReport], None]


def run_tick(site: Site, request: Request | None = None, show: Show | None = None) -> int:
    """Run what is due, have the report shown, by default as text, and return the exit code. Raises RunnerError."""
    prepare_state(site)
    try:
        owner = Owner(site.state)
    except OSError as error:
        raise StoreError(
            f"the folder {site.state} cannot be written: {error.strerror}", "check its permissions, and the disk"
        ) from error
    sys.stdout.flush()
    code = with_brain(owner, lambda events, orders: _think(site, owner.name, events, orders, request, show))
    # One that has failed may not have recorded all that has begun: the next tick reads it there.
    owner.close(keep=code < 0 or (code > 0 and owner.is_at_work))
    if code < 0:
        raise RunnerError(f"the process that decides what is due was killed by signal {-code}", "the next tick goes on")
    return code


def _think(site: Site, owner: str, events: Receiver, orders: Sender, request: Request | None, show: Show | None) -> int:
    """Be the brain of a tick: return its exit code, with every error explained."""
    from runner.cli.failure import explain  # noqa: PLC0415 - only in the process that decides

    try:
        from runner import clock  # noqa: PLC0415
        from runner.execution.remote import Hands  # noqa: PLC0415
        from runner.operations.tick import Crew, Request, tick  # noqa: PLC0415

        crew = Crew(owner, lambda workshop, terms: Hands(events, orders, workshop, terms.secrets_file))
        report = tick(site, clock.now(), crew, request or Request())
        (show or _show)(report)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every error is explained where it is met
        return streams.finish(explain(error))
    return streams.finish(0)


def _show(report: TickReport) -> None:
    from runner import clock  # noqa: PLC0415
    from runner.report.tick_text import tick_lines  # noqa: PLC0415 - loaded once nothing is forked any more

    for line in tick_lines(report, clock.now()):
        print(line)
