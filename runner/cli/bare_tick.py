"""A tick with something to do, past typer: what cron runs."""

from __future__ import annotations

from runner import clock, wiring
from runner.cli.state_folder import prepare_state
from runner.operations.idle import idle_line
from runner.operations.site import Site

TYPE_CHECKING = False  # the name is enough for type checkers; `typing` itself stays off the tick's path
if TYPE_CHECKING:
    from collections.abc import Iterable


def tick_lines(root: str, state: str) -> Iterable[str]:
    """Run what is due; yield the lines that say what was done. Raises RunnerError."""
    site = Site(root, state)
    prepare_state(site)
    wiring.bring_up_to_date(site, clock.now())
    line = idle_line(root, site.database)
    if line is not None:
        return [line]
    # Only a tick that has something to run loads what runs it.
    from runner.operations.tick import tick  # noqa: PLC0415
    from runner.report.tick_text import tick_lines as lines  # noqa: PLC0415

    report = tick(site, wiring.refresher(site), clock.now())
    return lines(report, clock.now())
